"""Calls as transformers' users write them: the same tokens as there, or an error that says what to do."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx import BioGPT, ConfigError, PromptError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

PROMPT = "The patient was treated with"
PROMPTS = [PROMPT, "Aspirin", "The aim of this study was to evaluate the effect of"]


@pytest.fixture(scope="module")
def theirs(mini_checkpoint: Path) -> tuple[Any, Any]:
    """The model and the tokenizer in transformers."""
    model = transformers.BioGptForCausalLM.from_pretrained(mini_checkpoint).eval()
    return model, transformers.BioGptTokenizer.from_pretrained(mini_checkpoint)


def new_tokens(theirs: tuple[Any, Any], prompt: str, **settings: Any) -> tuple[int, ...]:
    model, tokenizer = theirs
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    with torch.no_grad():
        found = model.generate(ids, attention_mask=torch.ones_like(ids), pad_token_id=1, do_sample=False, **settings)
    return tuple(found[0, ids.shape[1] :].tolist())


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize(
    "settings",
    [
        {"max_length": 24},
        {"max_length": 24, "min_length": 20, "eos_token_id": [2, 17]},
        {"max_new_tokens": 16, "min_length": 18, "eos_token_id": [2, 17]},
        {"max_length": 24, "num_beams": 3, "min_new_tokens": 8},
    ],
)
def test_lengths_that_count_the_prompt_give_the_same_tokens(
    mini: BioGPT, theirs: tuple[Any, Any], prompt: str, settings: dict[str, Any]
) -> None:
    settings = {"eos_token_id": 2} | settings
    assert mini.generate(prompt, **settings).token_ids == new_tokens(theirs, prompt, **settings)
    assert "".join(mini.stream(prompt, **settings)) == mini.generate(prompt, **settings).text


def test_a_prompt_of_max_length_is_an_error_that_says_what_to_do(mini: BioGPT) -> None:
    length = len(mini.tokenizer.encode(PROMPT))
    assert len(mini.generate(PROMPT, max_length=length + 1, eos_token_id=None).token_ids) == 1
    for ask in (mini.generate, mini.stream):
        with pytest.raises(ConfigError, match=f"max_length is {length}, .*a prompt has {length} tokens: raise it"):
            ask(PROMPT, max_length=length)


@pytest.mark.parametrize("prompt", [PROMPTS[0], PROMPTS[2]])
def test_a_stop_string_that_begins_in_the_prompt_stops_at_the_token_at_which_transformers_stops(
    mini: BioGPT, theirs: tuple[Any, Any], prompt: str
) -> None:
    settings: dict[str, Any] = {"max_new_tokens": 12, "eos_token_id": None}
    words = (prompt + mini.generate(prompt, **settings).text).split()
    last = len(prompt.split()) - 1
    stop = " ".join(words[last : last + 3])
    answer = mini.generate(prompt, stop_strings=[stop], **settings)
    assert answer.token_ids == new_tokens(theirs, prompt, stop_strings=[stop], tokenizer=theirs[1], **settings)
    assert (answer.text, answer.finish_reason) == ("", "stop")


@pytest.mark.parametrize("settings", [{}, {"num_beams": 3}, {"prompt_lookup_num_tokens": 4}])
def test_a_stop_string_that_begins_in_the_prompt_ends_every_search(mini: BioGPT, settings: dict[str, Any]) -> None:
    settings = {"max_new_tokens": 12, "eos_token_id": None} | settings
    for prompt in PROMPTS:
        text = prompt + mini.generate(prompt, **settings).text
        stop = text[len(prompt) - 4 : len(prompt) + 5]
        answer = mini.generate(prompt, stop_strings=[stop], **settings)
        assert not (prompt + answer.text).startswith(text[: len(prompt) + 5])
        assert "".join(mini.stream(prompt, stop_strings=[stop], **settings)) == answer.text
        if not settings.get("num_beams"):
            assert (answer.text, answer.finish_reason) == ("", "stop")


def test_a_stop_string_of_the_prompt_alone_ends_nothing(mini: BioGPT) -> None:
    free = mini.generate(PROMPT, max_new_tokens=8)
    assert mini.generate(PROMPT, max_new_tokens=8, stop_strings=["patient", "The"]).token_ids == free.token_ids


SEARCHES: list[dict[str, Any]] = [
    {},
    {"num_beams": 3},
    {"do_sample": True, "seed": 3, "num_return_sequences": 2},
    {"prompt_lookup_num_tokens": 6},
]


@pytest.mark.parametrize("settings", SEARCHES)
def test_a_callers_end_is_asked_for_each_sequence_by_itself(mini: BioGPT, settings: dict[str, Any]) -> None:
    def second_clause(ids: npt.NDArray[np.int64], text: str) -> bool:
        assert mini.tokenizer.decode(ids).endswith(text.lstrip())
        return len(text) > 20

    settings = {"max_new_tokens": 40, "eos_token_id": None, "stopping_criteria": second_clause} | settings
    together = mini.generate(PROMPTS, **settings)
    alone = [mini.generate(prompt, **settings) for prompt in PROMPTS]
    assert [answer.token_ids for answer in together] == [answer.token_ids for answer in alone]
    for answer in together:
        for sequence in answer.sequences:
            assert sequence.finish_reason == "stop"
            assert len(sequence.text) > 20


def test_ids_may_come_as_arrays_and_tensors(mini: BioGPT) -> None:
    rows = [mini.tokenizer.encode(prompt) for prompt in PROMPTS]
    expected = [answer.token_ids for answer in mini.generate_ids(rows, max_new_tokens=4)]
    shapes: list[Any] = [
        [np.array(row) for row in rows],
        [torch.tensor(row) for row in rows],
        [[torch.tensor(token) for token in row] for row in rows],
        tuple(np.array(row, dtype=np.int32).tolist() for row in rows),
    ]
    for given in shapes:
        assert [answer.token_ids for answer in mini.generate_ids(given, max_new_tokens=4)] == expected
    for row in (np.array(rows[:1]), torch.tensor(rows[:1])):
        (answer,) = mini.generate_ids(row, max_new_tokens=torch.tensor(4))
        assert answer.token_ids == expected[0]
        assert mini.choose_ids(row, ["aspirin", "no"]) == mini.choose_ids(rows[:1], ["aspirin", "no"])
        assert np.array_equal(mini.logits(row[0]), mini.logits(rows[0]))
        assert mini.prefix(row[0]).ids == tuple(rows[0])
    assert mini.continuations(["a"], eos_token_id=torch.tensor([2, 5]))(mini.tokenizer.encode("a")[1:]) == (2, 5)


@pytest.mark.parametrize("allowed", [np.array([5, 9]), torch.tensor([5, 9]), {5, 9}, iter([5, 9]), range(5, 10, 4)])
def test_an_allowed_function_may_return_any_ids(mini: BioGPT, allowed: Any) -> None:
    answer = mini.generate(PROMPT, allowed=lambda tokens: [] if tokens else allowed)
    assert answer.token_ids[0] in {5, 9}


@pytest.mark.parametrize("allowed", [None, 5, "5", [5.5], ["5"], [True], [[5], [6]], [[5], [6, 7]], [None]])
def test_an_allowed_function_that_returns_no_ids_is_an_error(mini: BioGPT, allowed: Any) -> None:
    with pytest.raises(ConfigError, match="allowed gave"):
        mini.generate(PROMPT, allowed=lambda _: allowed)


def test_a_long_text_is_an_error_whose_advice_works(mini: BioGPT) -> None:
    text = "aspirin " * 1100
    with pytest.raises(PromptError, match=r"the text with its prompt has 1,\d+ tokens.*score it in parts"):
        mini.score(text)
    with pytest.raises(PromptError, match="positions: shorten the prompt"):
        mini.score("aspirin", prompt=text)
    for ask in (lambda: mini.choose(text, ["a", "b"]), lambda: mini.choose([text], ["a", "b"])):
        with pytest.raises(PromptError, match="positions: shorten the prompt"):
            ask()
    with pytest.raises(PromptError, match="positions: give a shorter beginning"):
        mini.prefix(text)
    with pytest.raises(PromptError, match="positions: give fewer tokens"):
        mini.logits([2] * 1100)
    half = "aspirin " * 500
    parts = [mini.score(half), mini.score("aspirin " * 200, prompt="aspirin " * 300)]
    assert [len(part.token_ids) for part in parts] == [500, 200]
