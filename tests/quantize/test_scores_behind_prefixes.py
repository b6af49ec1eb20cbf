"""Scores and choices behind a prefix are, to the last bit, those without one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import biogpt_onnx
from biogpt_onnx import BioGPT

# Around the 128 tokens that attention takes at a time, and so short that a single token is left to read.
LENGTHS = (1, 2, 5, 125, 126, 127, 128, 129, 255)
TREES: dict[str, list[tuple[int, ...]]] = {
    "nothing to read": [(5,), (9,)],
    "one token to read": [(5, 6), (5, 7)],
    "two": [(5, 6), (7, 8)],
    "three": [(5, 6), (9, 7, 8)],
    "more than a pass": [(5, *range(20, 149))],
}


@pytest.fixture(scope="module", params=["fp32", "int8", "int4"])
def model(request: pytest.FixtureRequest, mini_by: Callable[[str], Path]) -> Iterator[BioGPT]:
    with biogpt_onnx.load(mini_by(request.param)) as loaded:
        yield loaded


@pytest.mark.parametrize("length", LENGTHS)
def test_scores_and_choices_do_not_depend_on_what_was_read_before(model: BioGPT, length: int) -> None:
    random = np.random.default_rng(length)
    ids = (2, *random.integers(4, 300, length - 1).tolist())
    backend = model._backend
    for shared in {1, max(1, length - 1), length}:
        prefix = model.prefix(ids[:shared])
        for count in (1, 2, 3, 66):
            tokens = random.integers(4, 300, count).tolist()
            behind = list(backend.score_tokens(ids, prefix, tokens))
            assert behind == list(backend.score_tokens(ids, None, tokens)), f"{shared} shared, {count} scored"
        for name, continuations in TREES.items():
            behind_each = backend.score_continuations([(ids, prefix)], continuations)
            assert behind_each == backend.score_continuations([(ids, None)], continuations), f"{shared} shared: {name}"
