"""Calls that share passes of a real bundle, of which some find no memory."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import biogpt_onnx
from biogpt_onnx import BioGPT, MemoryLimitError
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession

Ask = Callable[[BioGPT], object]


def sampled(number: int) -> Ask:
    ids = [2, *np.random.default_rng(number).integers(4, 8000, size=5 + 17 * number).tolist()]
    settings: dict[str, Any] = {"do_sample": True, "seed": number, "max_new_tokens": 24, "eos_token_id": None}
    return lambda model: model.generate_ids([ids], **settings)[0].sequences


CALLS = [*map(sampled, range(6)), lambda model: model.choose("Lithium causes", ["tremor", "a tremor"]).choices]


@pytest.mark.parametrize("mixed_passes", [False, True])
@pytest.mark.parametrize("recipe", ["fp32", "int8"])
def test_passes_that_fail_when_all_is_written_alter_no_other_answer(
    recipe: str, mini_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, mixed_passes: bool
) -> None:
    bundle = mini_bundle
    if recipe != "fp32":
        bundle = tmp_path / recipe
        quantize_bundle(mini_bundle, bundle, RECIPES[recipe])
    model = biogpt_onnx.load(bundle, device="cpu", mixed_passes=mixed_passes, warm_up=False)
    alone = [call(model) for call in CALLS]
    run, numbers = DecoderSession._run_bound, itertools.count(1)

    def run_and_fail(*given: Any) -> None:
        run(*given)
        if next(numbers) % 12 in {0, 1}:
            raise RuntimeError("Failed to allocate memory for requested buffer of size 4096")

    def ask(call: Ask) -> object:
        try:
            return call(shared)
        except MemoryLimitError as error:
            return error

    with model.concurrent(max_rows=3) as shared, ThreadPoolExecutor(8) as pool:
        with monkeypatch.context() as patched:
            patched.setattr(DecoderSession, "_run_bound", run_and_fail)
            found = list(pool.map(ask, CALLS))
        # Whoever asks later finds a model that is as good as ever.
        assert list(pool.map(ask, CALLS)) == alone
    failed = [number for number, answer in enumerate(found) if isinstance(answer, MemoryLimitError)]
    assert 0 < len(failed) < len(CALLS)
    for number in set(range(len(CALLS))).difference(failed):
        assert found[number] == alone[number]
