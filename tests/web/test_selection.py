"""The choice of tokens on the page beside Python's, on random scores."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.selection.sampler import generators
from biogpt_onnx.runtime.decoding.selection.token_selection import NextTokenSelector
from biogpt_onnx.runtime.decoding.state import SequenceState
from makers.web import SETTINGS, answer

VOCAB = 600
ROWS = 60
CASES: tuple[dict[str, Any], ...] = (
    {},
    {"repetition_penalty": 1.3},
    {"repetition_penalty": 0.7},
    {"no_repeat_ngram_size": 1},
    {"no_repeat_ngram_size": 3},
    {"min_new_tokens": 9},
    {"min_new_tokens": 9, "repetition_penalty": 1.3, "no_repeat_ngram_size": 2},
    {"do_sample": True, "seed": 3},
    {"do_sample": True, "seed": 4, "temperature": 0.3},
    {"do_sample": True, "seed": 5, "temperature": 2.5, "top_k": 7},
    {"do_sample": True, "seed": 6, "top_k": 10_000},
    {"do_sample": True, "seed": 7, "top_p": 0.5},
    {"do_sample": True, "seed": 8, "top_p": 0.97},
    {"do_sample": True, "seed": 9, "top_p": 1e-6},
    {"do_sample": True, "seed": 10, "min_p": 0.05},
    {"do_sample": True, "seed": 11, "min_p": 1},
    {"do_sample": True, "seed": 12, "temperature": 0.8, "top_k": 50, "top_p": 0.9, "min_p": 0.01, "min_new_tokens": 9},
    {"do_sample": True, "seed": 13, "top_p": 0.9, "repetition_penalty": 1.2, "no_repeat_ngram_size": 2},
)
PROMPT, NEW = (2, 7, 8, 9, 7, 8, 11), (9, 7, 8)


def random_logits(seed: int) -> npt.NDArray[np.float32]:
    source = np.random.default_rng(seed)
    logits = source.standard_normal((ROWS, VOCAB)) * source.choice([0.5, 2.0, 6.0], size=(ROWS, 1))
    # Whole numbers are often equal, and equals are at the edges of cuts.
    logits[::3] = np.round(logits[::3])
    return np.asarray(logits, dtype=np.float32)


def in_python(settings: dict[str, Any], logits: npt.NDArray[np.float32]) -> list[int]:
    config = GenerationConfig(max_new_tokens=20, **settings)
    selector = NextTokenSelector(config)
    found = []
    for row in logits:
        (generator,) = generators(settings.get("seed"), 1) if config.do_sample else (None,)
        state = SequenceState(PROMPT, 20, random=generator)
        for token in NEW:
            state.append(token, 0.0)
        tokens, _ = selector.select([state], row[None].copy())
        found.append(int(tokens[0]))
    return found


@pytest.fixture(scope="module")
def on_the_page(modules: Path) -> list[list[int]]:
    cases = [
        {
            "settings": {**SETTINGS, **settings},
            "endTokens": [2],
            "logits": random_logits(number).tolist(),
            "ids": [*PROMPT, *NEW],
            "newTokens": len(NEW),
        }
        for number, settings in enumerate(CASES)
    ]
    # A selector goes on with its random numbers: a row each.
    split = [{**case, "logits": [row]} for case in cases for row in case["logits"]]
    flat = [tokens[0] for tokens in answer(modules, "selection", cases=split)]
    return [flat[number * ROWS : (number + 1) * ROWS] for number in range(len(CASES))]


@pytest.mark.parametrize("number", range(len(CASES)), ids=[str(case) for case in CASES])
def test_the_token_is_that_of_python(on_the_page: list[list[int]], number: int) -> None:
    assert on_the_page[number] == in_python(CASES[number], random_logits(number))


def test_scores_that_are_no_numbers_and_rules_that_exclude_all_are_errors(modules: Path) -> None:
    case = {"endTokens": [2], "ids": [2, 3], "newTokens": 1}
    strict = {**SETTINGS, "no_repeat_ngram_size": 1}
    cases = [
        {**case, "settings": SETTINGS, "logits": [[1.0, None, 0.0]]},
        {**case, "settings": strict, "ids": [0, 1, 2], "logits": [[1.0, 0.5, 0.0]]},
        {**case, "settings": {**strict, "do_sample": True}, "ids": [0, 1, 2], "logits": [[1.0, 0.5, 0.0]]},
    ]
    (not_finite,), (excluded,), (sampled,) = answer(modules, "selection", cases=cases)
    assert not_finite == "the scores are no numbers: the weights must be damaged"
    assert excluded == sampled == "the rules exclude every token: lower no_repeat_ngram_size"
