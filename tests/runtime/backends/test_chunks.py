from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx import BioGPT
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.backends.chunks import CHUNK_TOKENS, chunks
from biogpt_onnx.runtime.backends.cpu.backend import CpuBackend
from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.prefix import Prefix

Backend = CpuBackend[KeyValueCache]

PROMPT_LENGTHS = (3, 128, 129, 130, 257, 515, 641)


def ids_of(length: int) -> list[int]:
    return [2, *np.random.default_rng(length).integers(4, 8000, size=length - 1).tolist()]


def logits_behind(backend: Backend, prefix: Sequence[int], ids: Sequence[int]) -> npt.NDArray[np.float32]:
    with Prefix(backend, prefix).continued(ids, len(ids) + 1, Limits()) as (_, scores):
        return scores.logits().copy()


def check_prefixes(backend: Backend, length: int) -> None:
    ids = ids_of(length)
    whole = backend.read(ids, backend.new_cache(1, length), Limits()).logits()
    for shared in {1, 2, length // 2, 129, length - 2, length - 1, length}:
        if shared <= length:
            assert np.array_equal(logits_behind(backend, ids[:shared], ids), whole), shared


@pytest.mark.parametrize("length", PROMPT_LENGTHS)
def test_a_prompt_behind_any_prefix_of_it_has_the_logits_of_the_whole_to_the_last_bit(
    mini: BioGPT, mini_bundle: Path, length: int
) -> None:
    check_prefixes(CpuBackend(DecoderSession(mini_bundle, mini.manifest)), length)


@pytest.mark.parametrize("recipe", ["int8", "int4"])
def test_so_it_has_in_quantized_bundles(recipe: str, mini_bundle: Path, tmp_path: Path) -> None:
    quantize_bundle(mini_bundle, tmp_path / recipe, RECIPES[recipe])
    backend = CpuBackend(DecoderSession(tmp_path / recipe, read_manifest(tmp_path / recipe)))
    for length in PROMPT_LENGTHS:
        check_prefixes(backend, length)


@pytest.mark.parametrize("start", [0, 1, 5, 512])
def test_chunks_hold_every_token_once_and_none_ends_in_a_tile_of_one(start: int) -> None:
    for end in range(start + 2, start + 1400):
        found = list(chunks(start, end))
        assert [number for chunk in found for number in range(chunk.start, chunk.stop)] == list(range(start, end))
        lengths = [chunk.stop - chunk.start for chunk in found]
        assert max(lengths) <= CHUNK_TOKENS
        assert not any(length % 128 == 1 for length in lengths), end


def test_a_single_token_is_a_chunk() -> None:
    assert list(chunks(7, 8)) == [slice(7, 8)]
    assert list(chunks(7, 7)) == []
