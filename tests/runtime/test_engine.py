import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import biogpt_onnx
from biogpt_onnx import BioGPT, ConfigError, GenerationConfig, PromptError
from biogpt_onnx.runtime.bundle import MERGES_FILE, VOCAB_FILE, read_manifest
from biogpt_onnx.runtime.ort import sessions
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from makers.models import FakeModel

PROMPTS = [
    "Aspirin",
    "The patient was treated with intravenous methylprednisolone for three days and",
    "",
    "p < 0.05, COVID-19 (SARS-CoV-2)",
]


def test_one_prompt_gives_one_generation_and_a_list_gives_a_list(mini: BioGPT) -> None:
    one = mini.generate("Aspirin", max_new_tokens=5)
    (same,) = mini.generate(["Aspirin"], max_new_tokens=5)
    assert (one.text, one.token_ids, one.finish_reason) == (same.text, same.token_ids, same.finish_reason)
    assert one.sequences[0].text == one.text
    assert len(one.sequences) == 1


def test_a_batch_of_unequal_prompts_gives_what_each_prompt_gives_alone(mini: BioGPT) -> None:
    together = mini.generate(PROMPTS, max_new_tokens=24)
    alone = [mini.generate(prompt, max_new_tokens=24) for prompt in PROMPTS]
    assert [answer.token_ids for answer in together] == [answer.token_ids for answer in alone]
    assert [answer.text for answer in together] == [answer.text for answer in alone]
    np.testing.assert_allclose([answer.score for answer in together], [answer.score for answer in alone], atol=1e-3)


@pytest.mark.parametrize(
    "settings",
    [{}, {"prompt_lookup_num_tokens": 6}, {"do_sample": True, "seed": 1, "num_return_sequences": 2}, {"num_beams": 3}],
)
def test_every_token_has_its_log_probability(mini: BioGPT, settings: dict[str, Any]) -> None:
    answer = mini.generate(PROMPTS[1], max_new_tokens=16, **settings)
    for sequence in answer.sequences:
        assert len(sequence.log_probabilities) == len(sequence.token_ids)
        ranked = len(sequence.token_ids) if settings.get("num_beams") else 1
        assert sum(sequence.log_probabilities) / ranked == pytest.approx(sequence.score, abs=1e-6)


def test_the_order_of_the_prompts_does_not_matter(mini: BioGPT) -> None:
    forward = mini.generate(PROMPTS, max_new_tokens=12)
    backward = mini.generate(PROMPTS[::-1], max_new_tokens=12)
    assert [answer.token_ids for answer in forward] == [answer.token_ids for answer in backward[::-1]]


def test_ids_in_give_the_same_as_text_in(mini: BioGPT) -> None:
    (by_ids,) = mini.generate_ids([mini.tokenizer.encode(PROMPTS[1])], max_new_tokens=8)
    by_text = mini.generate(PROMPTS[1], max_new_tokens=8)
    assert (by_ids.token_ids, by_ids.text) == (by_text.token_ids, by_text.text)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_stream_gives_the_text_piece_by_piece(mini: BioGPT, prompt: str) -> None:
    pieces = list(mini.stream(prompt, max_new_tokens=20))
    assert "".join(pieces) == mini.generate(prompt, max_new_tokens=20).text
    assert len(pieces) > 1


def test_prompt_and_text_read_as_one(mini: BioGPT) -> None:
    prompt = "The patient was treated with"
    answer = mini.generate(prompt, max_new_tokens=12)
    ids = [*mini.tokenizer.encode(prompt), *answer.token_ids]
    assert prompt + answer.text == mini.tokenizer.decode(ids)


def test_a_stop_string_ends_text_and_generation(mini: BioGPT) -> None:
    whole = mini.generate(PROMPTS[1], max_new_tokens=30)
    stop = whole.text[len(whole.text) // 2 :][:6]
    cut = mini.generate(PROMPTS[1], max_new_tokens=30, stop_strings=[stop])
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert cut.finish_reason == "stop"
    assert len(cut.token_ids) < len(whole.token_ids)
    assert "".join(mini.stream(PROMPTS[1], max_new_tokens=30, stop_strings=stop)) == cut.text


def test_timings_say_where_the_time_went(mini: BioGPT) -> None:
    timings = mini.generate("Aspirin", max_new_tokens=6, eos_token_id=None).timings
    assert timings.steps == 5
    assert min(timings.tokenize, timings.prefill, timings.decode) > 0


def test_logits_are_those_of_a_step_by_step_reading(mini: BioGPT) -> None:
    ids = mini.tokenizer.encode(PROMPTS[1])
    logits = mini.logits(ids)
    assert logits.shape == (len(ids), mini.tokenizer.vocab_size)
    assert logits.dtype == np.float32
    for end in (1, len(ids) // 2, len(ids)):
        (generation,) = mini.generate_ids([ids[:end]], max_new_tokens=1, eos_token_id=None)
        assert generation.token_ids == (int(logits[end - 1].argmax()),)


def test_a_score_is_the_probability_of_each_token(mini: BioGPT) -> None:
    score = mini.score("Aspirin inhibits platelets.")
    ids = mini.tokenizer.encode("Aspirin inhibits platelets.")
    logits = mini.logits(ids).astype(np.float64)
    log_softmax = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    expected = [log_softmax[at, token] for at, token in enumerate(ids[1:])]
    assert score.token_ids == tuple(ids[1:])
    np.testing.assert_allclose(score.log_probabilities, expected, atol=1e-5)
    assert score.total == pytest.approx(sum(expected), abs=1e-4)
    assert score.perplexity == pytest.approx(np.exp(-np.mean(expected)), rel=1e-5)


def test_a_text_longer_than_one_chunk_is_scored_whole(mini: BioGPT) -> None:
    text = "the patient was given aspirin . " * 110
    score = mini.score(text)
    assert len(score.token_ids) > 512
    short = mini.score(text[: len(text) // 4])
    np.testing.assert_allclose(score.log_probabilities[:100], short.log_probabilities[:100], atol=1e-4)


def test_generation_ends_where_the_positions_do(mini: BioGPT) -> None:
    ids = [2, *([500] * 1019)]
    (answer,) = mini.generate_ids([ids], max_new_tokens=50, eos_token_id=None)
    assert len(answer.token_ids) == 1024 - 1020 + 1
    assert answer.finish_reason == "length"


def test_a_prompt_that_is_too_long_is_an_error_or_cut_as_the_caller_says(mini: BioGPT) -> None:
    prompt = "patient " * 1500
    with pytest.raises(PromptError, match="truncation"):
        mini.generate(prompt)
    with pytest.raises(PromptError, match="truncation"):
        mini.stream(prompt)
    for side in ("left", "right"):
        answer = mini.generate(prompt, truncation=side, max_new_tokens=3, eos_token_id=None)
        assert len(answer.token_ids) == 3


def test_text_that_looks_like_a_special_token_is_text_unless_asked(mini: BioGPT) -> None:
    injected = "Aspirin </s> Insulin"
    literal = mini.generate(injected, max_new_tokens=1)
    special = mini.generate(injected, max_new_tokens=1, special_tokens=True)
    assert 2 not in mini.tokenizer.encode(injected)[1:]
    assert 2 in mini.tokenizer.encode(injected, special_tokens=True)[1:]
    assert literal.score != special.score


@pytest.mark.parametrize("prompts", [[], None, 3, ["a", 4], b"a"])
def test_prompts_of_the_wrong_kind_are_one_clear_error(mini: BioGPT, prompts: Any) -> None:
    with pytest.raises(PromptError):
        mini.generate(prompts)


@pytest.mark.parametrize("ids", [[], [[]], [[2, 9999]], [[-1]], [2, 3], [["2"]], 3])
def test_ids_of_the_wrong_kind_are_one_clear_error(mini: BioGPT, ids: Any) -> None:
    with pytest.raises(PromptError):
        mini.generate_ids(ids)


def test_a_bad_setting_is_refused_before_anything_is_computed(mini: BioGPT) -> None:
    with pytest.raises(ConfigError, match="max_new_tokens"):
        mini.generate("Aspirin", max_new_tokens=0)
    with pytest.raises(ConfigError, match="num_beans"):
        mini.stream("Aspirin", num_beans=4)  # type: ignore[call-overload]
    with pytest.raises(ConfigError, match="eos_token_id"):
        mini.generate("Aspirin", eos_token_id=99_999)


@pytest.mark.parametrize("config", [{"max_new_tokens": 3}, 3, GenerationConfig])
def test_a_configuration_of_another_type_is_refused(mini: BioGPT, config: Any) -> None:
    with pytest.raises(ConfigError, match="give a GenerationConfig"):
        mini.generate("Aspirin", config)


@pytest.mark.parametrize("texts", ["yes", b"yes", {"yes", "no"}, 3])
def test_a_rule_of_texts_takes_a_list_of_them(mini: BioGPT, texts: Any) -> None:
    """A single text would be a rule of its letters, and a set a rule that differs from run to run."""
    with pytest.raises(ConfigError, match="give a list of texts"):
        mini.continuations(texts)


def test_an_empty_text_has_no_score(mini: BioGPT) -> None:
    with pytest.raises(PromptError, match="empty"):
        mini.score("  ")


def test_a_configuration_can_be_kept_and_varied(mini: BioGPT) -> None:
    config = GenerationConfig(max_new_tokens=4, eos_token_id=None)
    assert len(mini.generate("Aspirin", config).token_ids) == 4
    assert len(mini.generate("Aspirin", config, max_new_tokens=2).token_ids) == 2


def test_several_threads_may_generate_at_once(mini: BioGPT) -> None:
    expected = [answer.text for answer in mini.generate(PROMPTS, max_new_tokens=16)]
    answers: dict[int, str] = {}

    def work(index: int) -> None:
        answers[index] = mini.generate(PROMPTS[index], max_new_tokens=16).text

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(PROMPTS))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answers[index] for index in range(len(PROMPTS))] == expected


def test_one_thread_computes_what_all_do(mini: BioGPT, mini_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # `mini` has as many threads as this process has cores, which may be one.
    monkeypatch.setattr(sessions, "num_usable_cores", lambda: 2)
    models = [mini, *(biogpt_onnx.load(mini_bundle, threads=threads, device="cpu") for threads in (1, 2))]
    assert len({model.generate(PROMPTS[1], max_new_tokens=16).text for model in models}) == 1


@pytest.mark.parametrize("threads", [0, -2, 1.5, "2", True])
def test_a_bad_number_of_threads_is_refused(mini_bundle: Path, threads: Any) -> None:
    with pytest.raises(ConfigError, match="threads"):
        biogpt_onnx.load(mini_bundle, threads=threads)


def test_an_empty_path_is_not_the_current_folder(mini_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(mini_bundle)
    with pytest.raises(ConfigError, match="give the path of a folder"):
        biogpt_onnx.load("", warm_up=False)


@pytest.fixture
def fake(mini_bundle: Path) -> BioGPT:
    """The engine over a model that always says the same word."""
    manifest = read_manifest(mini_bundle)
    tokenizer = BioGptTokenizer.from_files(
        mini_bundle / VOCAB_FILE, mini_bundle / MERGES_FILE, soft_prompt_size=manifest.architecture.soft_prompt_size
    )
    word = tokenizer.encode("the")[1]
    return BioGPT(FakeModel(lambda _: word, tokenizer.vocab_size, 100).backend, tokenizer, manifest)


def test_the_engine_needs_no_onnxruntime(fake: BioGPT) -> None:
    answer = fake.generate("of", max_new_tokens=3)
    assert answer.text == " the the the"
    assert answer.finish_reason == "length"


def test_words_are_streamed_as_soon_as_they_are_certain(fake: BioGPT) -> None:
    assert "".join(fake.stream("of", max_new_tokens=3, stop_strings=["the the the"])) == " "
