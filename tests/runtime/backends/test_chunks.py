from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biogpt_onnx import BioGPT
from biogpt_onnx.runtime.backends.chunks import CHUNK_TOKENS, CUT_TOKENS, at_pace, chunks, next_chunk
from biogpt_onnx.runtime.backends.cpu.backend import CpuBackend
from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.decoding.limits import Interrupted, Limits
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.embedding import pooled
from makers.models import FakeCache, FakeModel

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
def test_so_it_has_in_quantized_bundles(recipe: str, mini_by: Callable[[str], Path]) -> None:
    bundle = mini_by(recipe)
    backend = CpuBackend(DecoderSession(bundle, read_manifest(bundle)))
    for length in PROMPT_LENGTHS:
        check_prefixes(backend, length)


@dataclass
class AtRandom:
    """A pace of chunks of random lengths, most of them short."""

    seed: int
    noted: list[int] = field(default_factory=list)

    def most_tokens(self) -> int:
        random = np.random.default_rng((self.seed, len(self.noted)))
        return int(random.integers(4, random.choice([6, 12, 40, 128]) + 1))

    def pause(self, tokens: int) -> None:
        self.noted.append(tokens)


def everything_read(backend: Backend, length: int) -> list[Any]:
    """All that is computed of a text in chunks, in its bits."""
    ids = ids_of(length)
    choices = [ids_of(count)[1:] for count in (2, 3, 5)] + [[7], [7, 8]]
    return [
        backend.read(ids, backend.new_cache(1, length), Limits()).logits().tolist(),
        backend.score_continuations([(ids, None)], choices),
        backend.score_continuations([(ids, None)], [[7], [8]]),
        list(backend.score_tokens(ids[: length // 2 + 1], None, ids[length // 2 + 1 :])),
        pooled(backend, ids, "mean", normalize=False).tolist(),
        pooled(backend, ids, "last", normalize=False).tolist(),
    ]


@pytest.mark.parametrize("recipe", ["fp32", "int8", "int4"])
def test_where_a_text_is_cut_changes_no_bit_of_what_is_computed(recipe: str, mini_by: Callable[[str], Path]) -> None:
    bundle = mini_by(recipe)
    backend = CpuBackend(DecoderSession(bundle, read_manifest(bundle)))
    for length in (1, 2, 3, 30, 126, 129, 257, 300):
        whole, pace = everything_read(backend, length), AtRandom(length)
        with at_pace(pace):
            assert everything_read(backend, length) == whole
        assert length < 40 or len(pace.noted) > 6


class Recording(FakeModel):
    """A model that notes where each pass over a text begins and ends."""

    def __init__(self) -> None:
        super().__init__(lambda past: len(past) % 50, max_positions=600)
        self.passes: list[tuple[int, int]] = []

    def append(self, input_ids: npt.NDArray[np.int64], cache: FakeCache, *rest: Any) -> npt.NDArray[np.float32]:
        begin = int(cache.lengths[0])
        self.passes.append((begin, begin + input_ids.shape[1]))
        return super().append(input_ids, cache, *rest)


@given(st.integers(2, 90), st.integers(1, 90), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_no_pass_begins_elsewhere_than_at_a_place_to_cut(length: int, prefix_length: int, seed: int) -> None:
    """Elsewhere, last bits differ on ARM64, whatever the kind of work, the prefix and the load."""
    model = Recording()
    ids = [2, *np.random.default_rng(seed).integers(4, 50, size=max(length, prefix_length) - 1).tolist()]
    prompt, backend = ids[:length], model.backend
    choices = [[7, 8, 9], [7, 9], [8]]
    prefix = Prefix(backend, ids[:prefix_length])
    works: list[Callable[[], object]] = [
        lambda: logits_behind(backend, prefix.ids, prompt),
        lambda: list(backend.score_tokens(prompt[: length // 2 + 1], prefix, ids[:30])),
        lambda: list(backend.score_tokens(prompt[: length // 2 + 1], None, ids[:30])),
        lambda: backend.score_continuations([(prompt, prefix)], choices),
        lambda: backend.score_continuations([(prompt, None)], choices),
    ]
    with at_pace(AtRandom(seed)):
        for work in works:
            work()
    assert [one for one in model.passes if one[0] % CUT_TOKENS] == []
    assert [one for one in model.passes if one[1] - one[0] == 1 < prefix_length] == []


def check_cut(start: int, end: int, lengths: Callable[[int], int]) -> None:
    """Cuts a text, each chunk as long as is allowed for its number, and checks what every cut promises."""
    number, at = 0, start
    while at < end:
        most = lengths(number)
        chunk = next_chunk(at, end, most)
        length = chunk.stop - chunk.start
        assert chunk.start == at
        assert length > 0
        # One more token than is allowed, or two behind another place, is better than to read a single one.
        assert length <= most or length <= CUT_TOKENS + (1 if at % CUT_TOKENS == 0 else 2)
        assert chunk.stop <= end
        assert chunk.stop % CUT_TOKENS == 0 or chunk.stop == end
        assert length % 128 != 1 or end - start == 1
        assert end - chunk.stop != 1
        number, at = number + 1, chunk.stop
    assert at == end


@given(st.integers(0, 2000), st.integers(1, 1500), st.lists(st.integers(4, 600), min_size=1, max_size=60))
def test_every_plan_holds_every_token_once_and_no_forbidden_chunk(start: int, length: int, most: list[int]) -> None:
    check_cut(start, start + length, lambda number: most[number % len(most)])


def test_no_length_and_bound_are_an_exception() -> None:
    for most in (*range(4, 300), 385, 449, 512):
        for length in range(1, 700):
            chunk = next_chunk(0, length, most)
            assert chunk.stop <= min(most, length) or (chunk.stop, most) == (length, 4) == (5, 4)
            assert chunk.stop % CUT_TOKENS == 0 or chunk.stop == length
            assert chunk.stop % 128 != 1 or length == 1
            assert length - chunk.stop != 1


def test_a_chunk_is_as_long_as_it_may_be_where_nothing_forbids_it() -> None:
    assert next_chunk(0, 100, 16) == slice(0, 16)
    assert next_chunk(0, 100, 19) == slice(0, 16)
    assert next_chunk(90, 100, 16) == slice(90, 100)
    assert next_chunk(88, 101, 12) == slice(88, 92)
    assert next_chunk(6, 100, 16) == slice(6, 20)


@pytest.mark.parametrize("most", [3, 1, 0])
def test_a_bound_that_some_texts_cannot_keep_is_refused(most: int) -> None:
    with pytest.raises(ValueError, match="allow 4 or more"):
        next_chunk(0, 5, most)


@pytest.mark.parametrize("start", [0, 1, 5, 512])
def test_chunks_hold_every_token_once_and_none_ends_in_a_tile_of_one(start: int) -> None:
    for end in range(start + 2, start + 1400):
        found = list(chunks(start, end))
        assert [number for chunk in found for number in range(chunk.start, chunk.stop)] == list(range(start, end))
        lengths = [chunk.stop - chunk.start for chunk in found]
        assert max(lengths) <= CHUNK_TOKENS
        assert not any(length % 128 == 1 for length in lengths), end


def test_others_may_take_passes_between_chunks_and_not_after_the_last() -> None:
    pace = AtRandom(3)
    with at_pace(pace):
        lengths = [chunk.stop - chunk.start for chunk in chunks(0, 300)]
    assert lengths[:-1] == pace.noted
    assert len(list(chunks(0, 300))) == 2


def test_an_error_of_the_pace_ends_the_reading() -> None:
    class Ended(AtRandom):
        def pause(self, tokens: int) -> None:
            super().pause(tokens)
            raise Interrupted("cancelled")

    backend = FakeModel(lambda _: 5, max_positions=400).backend
    with at_pace(Ended(0)), pytest.raises(Interrupted):
        backend.read([5] * 300, backend.new_cache(1, 300), Limits())


def test_a_single_token_is_a_chunk() -> None:
    assert list(chunks(7, 8)) == [slice(7, 8)]
    assert list(chunks(7, 7)) == []
