import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biogpt_onnx.runtime.backends.chunks import CHUNK_TOKENS, at_pace
from biogpt_onnx.runtime.backends.cpu.prompts_together import next_pass, read_prompts_together
from biogpt_onnx.runtime.decoding.limits import Interrupted, Limits
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.state import SequenceState
from makers.models import FakeCache, FakeModel, RaggedFake

VOCAB = 97


def fingerprint(tokens: list[int]) -> int:
    """A number that two different pasts hardly share."""
    return hash(tuple(tokens)) % VOCAB


def prompts_of(lengths: Sequence[int]) -> list[tuple[int, ...]]:
    return [(2, *(4 + (row * 31 + at) % 90 for at in range(length - 1))) for row, length in enumerate(lengths)]


def read(
    model: FakeModel,
    prompts: Sequence[tuple[int, ...]],
    room: int = 10,
    limits: Limits | None = None,
    prefix: Prefix[Any] | None = None,
) -> tuple[npt.NDArray[np.float32], FakeCache]:
    cache = model.new_cache(len(prompts), max(map(len, prompts)) + room)
    states = [SequenceState(ids, 5, prefix=prefix) for ids in prompts]
    return read_prompts_together(model.backend, model, states, cache, limits or Limits()).logits(), cache


def ragged() -> RaggedFake:
    return RaggedFake(fingerprint, VOCAB, 2000)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=9))
@settings(deadline=None, max_examples=30)
def test_the_scores_are_those_after_each_prompt(lengths: list[int]) -> None:
    prompts = prompts_of(lengths)
    logits, cache = read(ragged(), prompts)
    assert logits.argmax(axis=1).tolist() == [fingerprint(list(ids)) for ids in prompts]
    assert cache.rows == [list(ids) for ids in prompts]


def test_chunks_of_like_length_of_up_to_four_prompts_and_512_tokens_share_a_pass() -> None:
    model = ragged()
    lengths = [2 * CHUNK_TOKENS, CHUNK_TOKENS + 20, CHUNK_TOKENS, CHUNK_TOKENS - 8, CHUNK_TOKENS - 9]
    read(model, prompts_of(lengths))
    # The second prompt's rest is too short for a pass with the first one's.
    assert model.counts == [
        [CHUNK_TOKENS, CHUNK_TOKENS],
        [CHUNK_TOKENS],
        [20],
        [CHUNK_TOKENS, CHUNK_TOKENS - 8],
        [CHUNK_TOKENS - 9],
    ]
    model = ragged()
    read(model, prompts_of([128] * 6))
    assert model.counts == [[128] * 4, [128] * 2]


@pytest.mark.parametrize(
    ("num_read", "lengths", "expected"),
    [
        ([0, 0], [100, 60], (0, [slice(0, 100), slice(0, 60)])),
        ([0, 0], [100, 40], (0, [slice(0, 100)])),  # too much padding
        ([100, 0, 0], [100, 40, 40], (1, [slice(0, 40), slice(0, 40)])),
        ([0, 5, 0], [5, 5, 5], (0, [slice(0, 5)])),  # the row between has been read
        ([0, 0], [1, 2], (0, [slice(0, 1)])),  # a single token has a pass of its own
        ([0, 0, 0], [2, 1, 2], (0, [slice(0, 2)])),
        ([100, 0], [160, 100], (0, [slice(100, 160)])),  # no room for the first row's padding
        ([100, 40], [160, 100], (0, [slice(100, 160), slice(40, 100)])),
        ([7, 8], [7, 8], None),
    ],
)
def test_what_the_next_pass_reads(
    num_read: list[int], lengths: list[int], expected: tuple[int, list[slice]] | None
) -> None:
    cache = FakeCache([[4] * length for length in num_read], capacity=180)
    assert next_pass(num_read, lengths, cache) == expected


def test_wide_caches_are_read_in_passes_of_fewer_prompts() -> None:
    # The attention's scratch memory grows with prompts x room.
    model = ragged()
    read(model, prompts_of([50] * 4), room=1_900)
    assert model.counts == [[50, 50], [50, 50]]
    model = ragged()
    read(model, prompts_of([50] * 2), room=5_000)
    assert model.counts == []


def test_equal_prompts_are_read_once() -> None:
    model = ragged()
    same = prompts_of([50])[0]
    logits, cache = read(model, [same, same])
    assert model.shapes == [(1, 50)]
    assert np.array_equal(logits[0], logits[1])
    assert cache.rows[0] == cache.rows[1]


def test_prompts_behind_a_prefix_and_those_that_others_wait_for_are_read_one_by_one() -> None:
    model = ragged()
    prompts = [tuple(range(2, 40)), (*range(2, 30), 50, 51)]
    logits, _ = read(model, prompts, prefix=Prefix(model.backend, prompts[0][:20]))
    assert logits.argmax(axis=1).tolist() == [fingerprint(list(ids)) for ids in prompts]
    assert model.counts == []

    class Short:
        def most_tokens(self) -> int:
            return 8

        def pause(self, tokens: int) -> None:
            """Lets nobody else go on."""

    with at_pace(Short()):
        read(model, prompts)
    assert model.counts == []
    assert max(tokens for _, tokens in model.shapes[-5:]) == 8


def test_a_model_without_padding_reads_one_by_one() -> None:
    model = FakeModel(fingerprint, VOCAB, 2000)
    read(model, prompts_of([20, 20]))
    assert model.shapes == [(1, 20), (1, 20)]


def test_a_limit_ends_the_reading_before_the_next_pass() -> None:
    cancel = threading.Event()
    cancel.set()
    model = ragged()
    with pytest.raises(Interrupted):
        read(model, prompts_of([20, 20]), limits=Limits(None, cancel))
    assert model.shapes == []
