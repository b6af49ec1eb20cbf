"""Streams of one prompt and of several: their pieces, their end, and what is left of one that failed."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx import BatchStream, BioGPT, ConfigError, PromptError, TextStream

PROMPTS = ["The patient was treated with", "Aspirin", "The aim of this study was to evaluate the effect of"]
SETTINGS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "beams": {"num_beams": 3},
    "samples": {"do_sample": True, "seed": 3, "top_p": 0.9},
    "drafts": {"prompt_lookup_num_tokens": 8},
    "stop": {"stop_strings": [" of", "ing a"], "no_repeat_ngram_size": 3},
    "criteria": {"stopping_criteria": lambda _, text: len(text) > 30},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_a_stream_of_several_prompts_writes_what_generate_gives(mini: BioGPT, settings: dict[str, Any]) -> None:
    answers = mini.generate(PROMPTS, max_new_tokens=20, **settings)
    written = [""] * len(PROMPTS)
    stream = mini.stream(PROMPTS, max_new_tokens=20, **settings)
    assert isinstance(stream, BatchStream)
    for index, piece in stream:
        assert piece
        written[index] += piece
    assert written == [answer.text for answer in answers]
    generations = [generation for generation in stream.generations if generation]
    assert [generation.token_ids for generation in generations] == [answer.token_ids for answer in answers]
    assert [generation.finish_reason for generation in generations] == [answer.finish_reason for answer in answers]


def test_the_texts_of_a_batch_grow_side_by_side(mini: BioGPT) -> None:
    stream = mini.stream(PROMPTS, max_new_tokens=12, eos_token_id=None)
    indices = [index for index, _ in stream]
    assert indices[: len(PROMPTS)] == [0, 1, 2]


def test_a_drafted_text_that_is_done_does_not_wait_for_the_next_prompt(mini: BioGPT) -> None:
    stream = mini.stream(PROMPTS, max_new_tokens=8, prompt_lookup_num_tokens=8)
    done_at_first_of_next = None
    for index, _ in stream:
        if index == 1 and done_at_first_of_next is None:
            done_at_first_of_next = [generation is not None for generation in stream.generations]
    assert done_at_first_of_next is not None
    assert done_at_first_of_next[0]
    assert not done_at_first_of_next[2]


def test_a_list_of_one_prompt_is_a_batch(mini: BioGPT) -> None:
    pieces = list(mini.stream([PROMPTS[0]], max_new_tokens=5))
    assert {index for index, _ in pieces} == {0}
    assert "".join(piece for _, piece in pieces) == mini.generate(PROMPTS[0], max_new_tokens=5).text


@pytest.mark.parametrize("prompts", [[], 3, None, ["a", 3], b"a"])
def test_prompts_of_the_wrong_kind_are_refused_at_the_call(mini: BioGPT, prompts: Any) -> None:
    with pytest.raises(PromptError):
        mini.stream(prompts)


@pytest.mark.parametrize("prompts", [PROMPTS[0], PROMPTS])
def test_an_event_ends_a_stream(mini: BioGPT, prompts: Any) -> None:
    cancel = threading.Event()
    stream = mini.stream(prompts, cancel=cancel, max_new_tokens=40, eos_token_id=None)
    for _ in range(5):
        next(stream)
    cancel.set()
    rest = list(stream)
    assert len(rest) <= len(PROMPTS)
    generations = [stream.generation] if isinstance(stream, TextStream) else stream.generations
    assert [generation.finish_reason for generation in generations if generation] == ["cancelled"] * len(generations)


@pytest.mark.parametrize("cancel", [True, 3.0, "now", threading.Event])
def test_a_cancel_that_is_no_event_is_refused_at_the_call(mini: BioGPT, cancel: Any) -> None:
    for ask in (mini.generate, mini.stream, mini.astream):
        with pytest.raises(ConfigError, match=r"cancel is .*: give a threading\.Event"):
            ask(PROMPTS, cancel=cancel)


def test_closing_a_batch_keeps_what_there_is(mini: BioGPT) -> None:
    expected = mini.generate(PROMPTS, max_new_tokens=30, eos_token_id=None)
    with mini.stream(PROMPTS, max_new_tokens=30, eos_token_id=None) as stream:
        for _ in range(6):
            next(stream)
    assert list(stream) == []
    for generation, answer in zip(stream.generations, expected, strict=True):
        assert generation is not None
        assert generation.finish_reason == "cancelled"
        assert generation.token_ids == answer.token_ids[: len(generation.token_ids)]


def failing(at: int) -> Callable[[npt.NDArray[np.int64], npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
    calls = 0

    def rule(_ids: npt.NDArray[np.int64], logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        nonlocal calls
        calls += 1
        return logits[:3] if calls == at else logits

    return rule


def test_a_stream_that_failed_raises_each_time_it_is_touched(mini: BioGPT) -> None:
    stream = mini.stream(PROMPTS[0], logits_processors=failing(at=4), max_new_tokens=20, eos_token_id=None)
    with pytest.raises(ConfigError, match="logits_processors"):
        list(stream)
    for _ in range(2):
        with pytest.raises(ConfigError, match="logits_processors"):
            next(stream)
        with pytest.raises(ConfigError, match="logits_processors"):
            _ = stream.generation
    stream.close()
    assert len(caught_frames(stream)) == len(caught_frames(stream))


def caught_frames(stream: TextStream) -> list[str]:
    try:
        next(stream)
    except ConfigError as error:
        trace, names = error.__traceback__, []
        while trace is not None:
            names.append(trace.tb_frame.f_code.co_name)
            trace = trace.tb_next
        return names
    raise AssertionError("it does not fail")


def test_a_block_that_a_failed_stream_leaves_raises_what_failed(mini: BioGPT) -> None:
    with (
        pytest.raises(ConfigError, match="logits_processors"),
        mini.stream(PROMPTS, logits_processors=failing(at=4), max_new_tokens=20) as stream,
    ):
        list(stream)
    with pytest.raises(ConfigError, match="logits_processors"):
        _ = stream.generations


def test_a_stream_that_was_interrupted_says_so_afterwards(mini: BioGPT) -> None:
    def interrupted(_ids: npt.NDArray[np.int64], _text: str) -> bool:
        raise KeyboardInterrupt

    stream = mini.stream(PROMPTS[0], stopping_criteria=interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(stream)
    with pytest.raises(RuntimeError, match="interrupted"):
        next(stream)
