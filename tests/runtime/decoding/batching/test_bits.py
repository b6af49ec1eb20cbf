"""A row of a running batch beside the same prompt alone, in real bundles."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import biogpt_onnx
from biogpt_onnx.runtime.backends.registry import open_backend
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.decoding.batching.jobs import RowJob
from biogpt_onnx.runtime.decoding.batching.loop import Loop
from biogpt_onnx.runtime.decoding.batching.rows import Rows
from biogpt_onnx.runtime.decoding.batching.scheduling import Action
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.decoding.selection.token_selection import NextTokenSelector
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.options import LoadOptions

LENGTHS = (1, 2, 30, 129, 257, 300)
NEW = 12


def prompt(length: int) -> tuple[int, ...]:
    return (2, *np.random.default_rng(length).integers(4, 8000, size=length - 1).tolist())


def together(bundle: Path, lengths: tuple[int, ...], *, mixed_passes: bool) -> list[SequenceState]:
    backend = open_backend(bundle, read_manifest(bundle), LoadOptions(device="cpu", mixed_passes=mixed_passes))
    done: list[Action] = []
    loop = Loop(Rows(backend, max_rows=3, capacity=400), on_pass=lambda action, *_: done.append(action))
    config = GenerationConfig(max_new_tokens=NEW, eos_token_id=None)
    jobs = [
        RowJob.of(
            Request([SequenceState(prompt(length), NEW - number % 3, eos_token_id=None)]),
            NextTokenSelector(config),
            Limits(),
        )
        for number, length in enumerate(lengths)
    ]
    for job in jobs:
        loop.submit(job)
    while loop.advance() is not Action.WAIT:
        pass
    assert (Action.READ_AND_STEP in done) == (backend.mixed is not None)
    return [job.rows[0].state for job in jobs]


@pytest.mark.parametrize("mixed_passes", [False, True])
@pytest.mark.parametrize("recipe", ["fp32", "int8", "int4", "int8-int4"])
def test_tokens_and_log_probabilities_are_those_of_the_prompt_alone_to_the_last_bit(
    recipe: str, mini_by: Callable[[str], Path], *, mixed_passes: bool
) -> None:
    bundle = mini_by(recipe)
    model = biogpt_onnx.load(bundle)
    for state in together(bundle, LENGTHS, mixed_passes=mixed_passes):
        (alone,) = model.generate_ids([state.prompt_ids], max_new_tokens=state.max_new_tokens, eos_token_id=None)
        assert state.token_ids == list(alone.token_ids)
        assert state.log_probabilities == list(alone.sequences[0].log_probabilities)
