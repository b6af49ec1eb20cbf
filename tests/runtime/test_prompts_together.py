"""Prompts that are read, and beams that grow, in one pass, held against each prompt alone in real bundles."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import biogpt_onnx
from biogpt_onnx import BioGPT
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession

LENGTHS = (20, 1, 128, 129, 64, 2, 300)
PREFIX_TOKENS = 15


def ids(length: int) -> list[int]:
    return [2, *np.random.default_rng(length).integers(4, 8000, size=length - 1).tolist()]


def sometimes_one(new: Sequence[int]) -> list[int]:
    """Forces a single token at some places, so that a prompt may have a single beam."""
    return [5 + len(new)] if len(new) % 3 == 1 else list(range(4, 40 + sum(new) % 50))


CALLS: dict[str, dict[str, Any]] = {
    "five": {"num_beams": 5, "num_return_sequences": 5},
    "early": {"num_beams": 2, "eos_token_id": list(range(2, 3000)), "early_stopping": True},
    "forced": {"num_beams": 3, "allowed": sometimes_one},
    "greedy": {},
    "rules": {"num_beams": 4, "repetition_penalty": 1.3, "no_repeat_ngram_size": 2, "length_penalty": -0.5},
}


@pytest.mark.parametrize("recipe", ["fp32", "int8", "int4", "int8-int4"])
def test_answers_are_to_the_last_bit_those_of_each_prompt_alone(
    recipe: str, mini_by: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = biogpt_onnx.load(mini_by(recipe), device="cpu")
    shapes = watched(monkeypatch)
    prompts = [ids(length) for length in LENGTHS]
    for call in CALLS.values():
        alone = [found(model, [prompt], call)[0] for prompt in prompts]
        shapes.clear()
        assert found(model, prompts, call) == alone
        assert max(batch for batch, _ in shapes) > 2
    prefix = model.prefix(ids(128)[:PREFIX_TOKENS])
    assert found(model, [ids(128), ids(64)], CALLS["five"] | {"prefix": prefix}) == [
        found(model, [ids(length)], CALLS["five"])[0] for length in (128, 64)
    ]


@pytest.mark.parametrize("recipe", ["fp32", "int8", "int4", "int8-int4"])
def test_choices_have_to_the_last_bit_the_probabilities_that_they_have_alone(
    recipe: str, mini_by: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = biogpt_onnx.load(mini_by(recipe), device="cpu")
    prompts = [ids(length) for length in (20, 64, 1, 126, 127, 128, 300, 301, 129)]
    for choices, ends in ((["yes", "no", "maybe not", "it is not known"], True), (["yes", "no"], False)):
        alone = [model.choose_ids([prompt], choices, ends=ends)[0].choices for prompt in prompts]
        shapes = watched(monkeypatch)
        assert [each.choices for each in model.choose_ids(prompts, choices, ends=ends)] == alone
        assert max(batch for batch, _ in shapes) > 2


def found(model: BioGPT, prompts: list[list[int]], call: dict[str, Any]) -> list[Any]:
    return [answer.sequences for answer in model.generate_ids(prompts, max_new_tokens=8, **call)]


def watched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Returns the list that gets the shape of each pass."""
    shapes: list[tuple[int, ...]] = []
    forward = DecoderSession.forward

    def noting(self: DecoderSession, input_ids: Any, *args: Any, **options: Any) -> Any:
        shapes.append(input_ids.shape)
        return forward(self, input_ids, *args, **options)

    monkeypatch.setattr(DecoderSession, "forward", noting)
    return shapes
