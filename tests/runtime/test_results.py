"""Results as people and programs see them: one line, and plain data."""

import dataclasses
import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import biogpt_onnx
from biogpt_onnx import (
    BioGPT,
    Choices,
    EntitySpan,
    Generation,
    Hypothesis,
    PassReport,
    Score,
    TextClassification,
    TextPiece,
    Timings,
    TokenLogprob,
    TokenTag,
    TokenTags,
    TopToken,
    Usage,
)
from biogpt_onnx.runtime.result_base import Result, plain_data

TIMINGS = Timings(0.1, 0.2, 0.3, 4)
TOP = TopToken("aspirin ", 7, -0.5)
LOGPROB = TokenLogprob("aspirin ", 7, (0, 8), -0.5, (TOP,))
HYPOTHESIS = Hypothesis(" aspirin\n" * 40, (7, 8, 9, 10, 11), -1.5, (-0.5, -1.0), "length", (LOGPROB,))
GENERATION = Generation.of((HYPOTHESIS,), TIMINGS, Usage(3, 5, 2))
TAG = TokenTag("aspirin", 0, 7, "B-Chemical", 0.9)
ENTITY = EntitySpan("aspirin", 0, 7, "Chemical", 0.9)

ALL: list[Result] = [
    TIMINGS,
    Usage(3),
    TOP,
    LOGPROB,
    HYPOTHESIS,
    GENERATION,
    TextPiece(1, 0, " aspirin" * 40, (7, 8, 9), (LOGPROB,) * 3, "length"),
    Score((7, 8), (-0.5, -1.0), (LOGPROB,)),
    Choices.of(["yes", "no"], [(7,), (8,)], [-0.5, -1.5]),
    Choices.of(["yes", "no"], [(7,), (8,)], [-0.5, -1.5]).best,
    TextClassification("a", ("a",), {"a": 0.9, "b": 0.1}, {"a": 2.0, "b": -1.0}),
    TAG,
    ENTITY,
    TokenTags((TAG,) * 40, (ENTITY,)),
    PassReport("mixed", 128, 7, 0.17),
]


def test_every_result_of_the_engine_is_tested_here() -> None:
    exported = [getattr(biogpt_onnx, name) for name in biogpt_onnx.__all__]
    results = {kind for kind in exported if isinstance(kind, type) and issubclass(kind, Result)}
    assert {type(result) for result in ALL} == results


@pytest.mark.parametrize("result", ALL, ids=lambda result: type(result).__name__)
def test_a_result_is_one_short_line(result: Result) -> None:
    line = repr(result)
    assert line.startswith(f"{type(result).__name__}(")
    assert line.endswith(")")
    assert "\n" not in line
    assert len(line) <= 240


@pytest.mark.parametrize("result", ALL, ids=lambda result: type(result).__name__)
def test_a_result_is_plain_data_with_all_of_its_fields(result: Result) -> None:
    data = result.to_dict()
    assert {field.name for field in dataclasses.fields(result)} <= set(data)
    assert set(map(type, values(data))) <= {str, int, float, bool, type(None)}
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def values(data: Any) -> Iterator[object]:
    """All single values of plain data; anything that is neither a dictionary nor a list is single."""
    if type(data) in (dict, list):
        for each in data.values() if type(data) is dict else data:
            yield from values(each)
    else:
        yield data


def test_long_texts_and_lists_are_cut_in_the_line() -> None:
    assert repr(GENERATION) == (
        r"Generation(text=' aspirin\n aspirin\n aspirin\n aspirin\n aspirin\n a…', finish_reason='length', score=-1.5, "
        "usage=Usage(prompt_tokens=3, new_tokens=5, dropped_tokens=2))"
    )
    assert repr(Score((7, 8, 9, 10), (-1.0,) * 4)) == (
        "Score(total=-4, perplexity=2.718, token_ids=(7, 8, 9, … 4 in all))"
    )


def test_numbers_that_json_lacks_are_none() -> None:
    score = Score((7,), (-math.inf,))
    assert score.perplexity == math.inf
    assert score.to_dict() == {
        "token_ids": [7],
        "log_probabilities": [None],
        "total": None,
        "perplexity": None,
    }
    assert Score((7,), (-1e9,)).perplexity == math.inf


def test_numbers_of_numpy_become_plain_ones() -> None:
    data = Score((7,), (np.float64(-0.5),)).to_dict() | {"other": plain_data({1: np.int64(3), "x": np.float32("nan")})}
    assert json.dumps(data["log_probabilities"] + [data["other"]]) == '[-0.5, {"1": 3, "x": null}]'
    assert type(data["log_probabilities"][0]) is float


def test_usages_add_up() -> None:
    assert Usage.total([Usage(3, 2, 1), Usage(10, 20, 30)]) == Usage(13, 22, 31)
    assert Usage.total([]) == Usage(0)


def test_a_model_says_what_it_is(mini: BioGPT) -> None:
    line = repr(mini)
    assert line.startswith("BioGPT('mini', fp32, cpu, ")
    assert line.endswith(", 1,024 positions)")
    assert "thread" in line or "all cores" in line


def test_an_answer_says_how_many_tokens_it_took(mini: BioGPT) -> None:
    prompt_tokens = len(mini.tokenizer.encode("Aspirin inhibits"))
    answer = mini.generate("Aspirin inhibits", max_new_tokens=4, eos_token_id=None)
    assert answer.usage == Usage(prompt_tokens, 4)
    several = mini.generate(
        "Aspirin inhibits", max_new_tokens=4, num_return_sequences=3, do_sample=True, seed=1, eos_token_id=None
    )
    assert several.usage == Usage(prompt_tokens, 12)
    beams = mini.generate("Aspirin inhibits", max_new_tokens=4, num_beams=3, num_return_sequences=2, eos_token_id=None)
    assert beams.usage == Usage(prompt_tokens, 8)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_prompt_that_is_too_long_says_how_much_was_dropped_and_keeps_half(mini: BioGPT, side: Any) -> None:
    prompt = "The patient was given lithium and had tremor. " * 200
    length = len(mini.tokenizer.encode(prompt))
    answer = mini.generate(prompt, truncation=side, max_new_tokens=2000, stop_strings=[" "])
    assert answer.usage.prompt_tokens == 512
    assert answer.usage.dropped_tokens == length - 512
    (from_ids,) = mini.generate_ids(
        [mini.tokenizer.encode(prompt)], truncation=side, max_new_tokens=24, stop_strings=[" "]
    )
    assert (from_ids.usage.prompt_tokens, from_ids.usage.dropped_tokens) == (1001, length - 1001)
