"""Methods of the model on any number of prompts and texts."""

import io
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import biogpt_onnx
from biogpt_onnx import BioGPT, CancelledError, ConfigError, Generation, MemoryLimitError, PromptError
from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache
from biogpt_onnx.runtime.bulk.batches import CACHE_BYTES, most_cached_tokens
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.engine import generating
from makers.models import FakeModel

TEXTS = ["Aspirin inhibits platelets.", "Insulin is", "The patient was treated with cisplatin for nine days and", "p"]
TOO_LONG = "the " * 2000


def generate(model: BioGPT, texts: Any, **more: Any) -> Any:
    return model.generate(texts, max_new_tokens=4, **more)


def choose(model: BioGPT, texts: Any, **more: Any) -> Any:
    return model.choose(texts, ["yes", "no"], **more)


def score(model: BioGPT, texts: Any, **more: Any) -> Any:
    return model.score(texts, **more)


def embed(model: BioGPT, texts: Any, **more: Any) -> Any:
    return model.embed(texts, **more)


METHODS = [generate, choose, score, embed]
Method = Callable[..., Any]


def content(result: Any) -> Any:
    """What a result says, without its timings."""
    if isinstance(result, Generation):
        return result.token_ids
    return result.tolist() if isinstance(result, np.ndarray) else result


@pytest.mark.parametrize("method", METHODS)
def test_a_generator_gives_what_each_of_its_texts_gives_alone(mini: BioGPT, method: Method) -> None:
    found = method(mini, (text for text in TEXTS))
    assert len(found) == len(TEXTS)
    assert [content(one) for one in found] == [content(method(mini, text)) for text in TEXTS]


@pytest.mark.parametrize("method", METHODS)
def test_a_bad_text_is_named_by_its_index(mini: BioGPT, method: Method) -> None:
    name = "prompts" if method in {generate, choose} else "texts"
    for bad, problem in ((TOO_LONG, "tokens"), (None, "NoneType"), (float("nan"), "float")):
        with pytest.raises(PromptError, match=rf"^{name}\[2\]: .*{problem}"):
            method(mini, [*TEXTS[:2], bad, TEXTS[3]])
    with pytest.raises(PromptError, match=r"^(the|a) (text|prompt)( with its prompt)? has"):
        method(mini, TOO_LONG)


@pytest.mark.parametrize("method", METHODS)
def test_a_bad_text_does_not_lose_the_others(mini: BioGPT, method: Method) -> None:
    first, bad, last, worse = method(mini, iter([TEXTS[0], TOO_LONG, TEXTS[3], 5]), on_error="return")
    assert content(first) == content(method(mini, TEXTS[0]))
    assert content(last) == content(method(mini, TEXTS[3]))
    assert [type(bad), type(worse)] == [PromptError, PromptError]
    assert not str(bad).startswith(("prompts", "texts"))


@pytest.mark.parametrize("method", METHODS)
def test_the_progress_is_reported(mini: BioGPT, method: Method) -> None:
    reported: list[Any] = []
    method(mini, TEXTS, progress=lambda done, total: reported.append((done, total)))
    assert reported[-1] == (4, 4)
    assert [done for done, _ in reported] == sorted(done for done, _ in reported)
    reported.clear()
    method(mini, iter(TEXTS), progress=lambda done, total: reported.append((done, total)))
    assert reported[-1] == (4, None)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_progress_is_shown_on_a_terminal_alone(mini: BioGPT, monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, shows in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        mini.score(TEXTS, progress=True)
        assert ("texts:  50 %" in stream.getvalue()) is shows


@pytest.mark.parametrize("method", [choose, score, embed])
def test_cancelled_texts_have_an_error(mini: BioGPT, method: Method) -> None:
    cancel = threading.Event()

    def stop(done: int, _: int | None) -> None:
        if done == 2:
            cancel.set()

    found = method(mini, 5 * TEXTS, on_error="return", progress=stop, cancel=cancel)
    # Choices are scored in batches of like length, and what is done is counted in the order of the texts.
    most = 16 if method is choose else 2
    assert 2 <= sum(not isinstance(one, CancelledError) for one in found) <= most
    with pytest.raises(CancelledError, match=r"\[0\]: cancelled"):
        method(mini, TEXTS, cancel=cancel)


def test_cancelled_prompts_are_returned_as_they_are(mini: BioGPT) -> None:
    cancel = threading.Event()
    cancel.set()
    found = mini.generate(iter(TEXTS), cancel=cancel)
    assert [(one.text, one.finish_reason) for one in found] == [("", "cancelled")] * 4


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"on_error": "skip"}, 'on_error is \'skip\': give "raise" or "return"'),
        ({"on_error": []}, "on_error is"),
        ({"progress": "yes"}, "progress is 'yes': give True, False or a function"),
        ({"cancel": True}, "cancel is of type bool: give a threading.Event"),
    ],
)
def test_bad_settings_are_refused(mini: BioGPT, method: Method, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        method(mini, TEXTS, **settings)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("texts", [None, 5, b"a", {"a"}, {"a": 1}, object(), np.array(5), iter([]), []])
def test_what_is_no_iterable_of_texts_is_refused(mini: BioGPT, method: Method, texts: Any) -> None:
    with pytest.raises(PromptError, match=r"are of type|is empty"):
        method(mini, texts)


@pytest.fixture
def fake(mini: BioGPT) -> tuple[BioGPT, FakeModel]:
    """The engine over a model that always says the same word."""
    same = np.zeros(mini.tokenizer.vocab_size, dtype=np.float32)
    same[500] = 1
    model = FakeModel(lambda _: same, mini.tokenizer.vocab_size, 100)
    return BioGPT(model.backend, mini.tokenizer, mini.manifest), model


def words(count: int) -> Iterator[str]:
    return (" ".join(["the"] * (1 + number % 7)) for number in range(count))


def test_a_thousand_prompts_take_the_memory_of_one_batch(fake: tuple[BioGPT, FakeModel]) -> None:
    model, computed = fake
    found = model.generate(words(1000), max_new_tokens=2)
    assert len(found) == 1000
    assert max(len(cache.rows) for cache in computed.caches) == 32


def test_batches_are_small_where_memory_is(fake: tuple[BioGPT, FakeModel], monkeypatch: pytest.MonkeyPatch) -> None:
    model, computed = fake
    monkeypatch.setattr(generating, "most_cached_tokens", lambda _: 30)
    model.generate(words(20), max_new_tokens=3)
    assert max(len(cache.rows) * cache.capacity for cache in computed.caches) <= 30
    assert max(len(cache.rows) for cache in computed.caches) > 1


@pytest.mark.parametrize(("recipe", "is_divided"), [("fp32", True), ("int8", True), ("int8-weights", False)])
def test_prompts_without_memory_are_divided_only_where_the_batch_changes_no_answer(
    mini_by: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    recipe: str,
    is_divided: bool,  # noqa: FBT001 -- a case
) -> None:
    with biogpt_onnx.load(mini_by(recipe), device="cpu") as model:
        alone = [content(model.generate(text, max_new_tokens=4)) for text in TEXTS]
        monkeypatch.setattr(KeyValueCache, "allocate", one_row_only(KeyValueCache.allocate))
        found: Any = model.generate(TEXTS, max_new_tokens=4, on_error="return")
    if is_divided:
        assert [content(one) for one in found] == alone
    else:
        assert all(isinstance(one, MemoryLimitError) for one in found)


def one_row_only(allocate: Callable[..., KeyValueCache]) -> Callable[..., KeyValueCache]:
    """A memory in which the cache of one row alone finds room."""

    def allocate_one(architecture: Architecture, batch_size: int, *rest: Any) -> KeyValueCache:
        if batch_size > 1:
            raise MemoryLimitError("full")
        return allocate(architecture, batch_size, *rest)

    return allocate_one


def test_samples_count_as_rows(fake: tuple[BioGPT, FakeModel]) -> None:
    model, computed = fake
    found = model.generate(words(40), max_new_tokens=2, do_sample=True, num_return_sequences=4, seed=1)
    assert {len(one.sequences) for one in found} == {4}
    assert max(len(cache.rows) for cache in computed.caches) == 32


def test_the_last_of_many_prompts_is_checked_before_the_first_is_read(fake: tuple[BioGPT, FakeModel]) -> None:
    model, computed = fake
    with pytest.raises(PromptError, match=r"^prompts\[200\]"):
        model.generate([*words(200), TOO_LONG])
    assert computed.shapes == []


def test_rules_and_seeds_for_each_prompt_stay_with_their_prompts(mini: BioGPT) -> None:
    allowed = [mini.continuations([text]) for text in ("yes", "no", "maybe", "never")]
    found = mini.generate(iter(TEXTS), allowed=allowed)
    assert [one.text.strip() for one in found] == ["yes", "no", "maybe", "never"]
    seeds = [5, 6, 7, 8]
    together = mini.generate(iter(TEXTS), do_sample=True, seed=seeds, max_new_tokens=4)
    alone = [
        mini.generate(text, do_sample=True, seed=seed, max_new_tokens=4)
        for text, seed in zip(TEXTS, seeds, strict=True)
    ]
    assert [one.token_ids for one in together] == [one.token_ids for one in alone]
    with pytest.raises(ConfigError, match="seed holds 3 numbers for 4 prompts"):
        mini.generate(iter(TEXTS), do_sample=True, seed=[1, 2, 3])


def test_a_rule_that_one_prompt_breaks_costs_that_prompt_alone(mini: BioGPT) -> None:
    def nothing_possible(_: Any) -> list[int]:
        return [mini.tokenizer.vocab_size + 7]

    rules = [None, nothing_possible, None]
    found = mini.generate(TEXTS[:3], allowed=rules, max_new_tokens=3, on_error="return")
    assert [isinstance(one, Generation) for one in found] == [True, False, True]
    with pytest.raises(ConfigError, match=r"^prompts\[1\]: "):
        mini.generate(TEXTS[:3], allowed=rules, max_new_tokens=3)


def test_ids_may_come_from_any_iterable(mini: BioGPT) -> None:
    rows = [mini.tokenizer.encode(text) for text in TEXTS]
    expected = [one.token_ids for one in mini.generate(TEXTS, max_new_tokens=3)]
    assert [one.token_ids for one in mini.generate_ids(iter(rows), max_new_tokens=3)] == expected
    good, bad = mini.generate_ids([rows[0], [-1]], max_new_tokens=3, on_error="return")
    assert isinstance(good, Generation)
    assert isinstance(bad, PromptError)
    first, second = mini.choose_ids(iter([rows[0], []]), ["yes", "no"], on_error="return")
    assert first == mini.choose(TEXTS[0], ["yes", "no"])
    assert isinstance(second, PromptError)


def test_the_cache_of_a_batch_is_bounded_in_bytes(mini: BioGPT) -> None:
    architecture = mini.manifest.architecture
    bytes_each = 2 * 4 * architecture.num_layers * architecture.hidden_size
    assert 0 <= CACHE_BYTES - most_cached_tokens(mini.manifest) * bytes_each < bytes_each
