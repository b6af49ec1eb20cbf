import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.errors import MemoryLimitError

TINY = Architecture(num_layers=2, hidden_size=16, num_heads=2, intermediate_size=3, vocab_size=10, max_positions=50)

on_linux = pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="Linux tells how much memory is taken")


def filled(lengths: list[int], capacity: int = 6) -> KeyValueCache:
    cache = KeyValueCache.allocate(TINY, len(lengths), capacity)
    for row, length in enumerate(lengths):
        cache.buffer[:, :, row, :, :length] = row + 1
        cache.lengths[row] = length
    return cache


def test_rows_that_go_on_keep_their_keys_and_values_in_the_same_memory() -> None:
    cache = filled([3, 1, 6, 2])
    kept = cache.keep([1, 2])
    assert kept.lengths.tolist() == [1, 6]
    assert np.all(kept.buffer[:, :, 0, :, :1] == 2)
    assert np.all(kept.buffer[:, :, 1, :, :6] == 3)
    assert np.shares_memory(kept.buffer, cache.buffer)


def test_a_row_is_a_cache_over_the_same_memory() -> None:
    cache = filled([3, 1])
    row = cache.row(1)
    row.buffer[:] = 9
    row.lengths += 1
    assert np.all(cache.buffer[:, :, 1] == 9)
    assert cache.lengths.tolist() == [3, 2]


def test_rows_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="ascend"):
        filled([1, 2]).keep([1, 0])


def test_a_cache_beyond_all_memory_is_one_clear_error() -> None:
    with pytest.raises(MemoryLimitError, match="max_new_tokens"):
        KeyValueCache.allocate(TINY, 10**6, 10**9)


@on_linux
def test_room_that_no_token_reaches_takes_no_memory() -> None:
    before = anonymous_bytes()
    cache = KeyValueCache.allocate(TINY, 1, 1_000_000)
    cache.buffer[:, :, :, :, :10] = 1
    assert cache.buffer.nbytes > 250_000_000
    assert anonymous_bytes() - before < 20_000_000


@on_linux
def test_memory_of_tokens_that_are_gone_is_given_back_and_others_keep_theirs() -> None:
    cache = KeyValueCache.allocate(TINY, 2, 100_000)
    for row in range(2):
        cache.buffer[:, :, row] = row + 1
        cache.lengths[row] = 100_000
    before = anonymous_bytes()
    cache.row(0).truncate(10_000)
    token = 2 * 2 * 16 * 4
    assert cache.give_back() == 90_000 * token
    assert before - anonymous_bytes() > 88_000 * token
    assert np.all(cache.buffer[:, :, 0, :, :10_000] == 1)
    assert np.all(cache.buffer[:, :, 1] == 2)
    # There is no more to be had, and what comes next takes memory again.
    assert cache.give_back() == 0
    assert cache.row(0).new_bytes(5) == 5 * token


@on_linux
def test_a_row_can_be_moved_without_taking_memory_for_both() -> None:
    cache = KeyValueCache.allocate(TINY, 2, 100_000)
    cache.buffer[:, :, 1] = 7
    cache.lengths[1] = 100_000
    before = anonymous_bytes()
    cache.move(1, 0, gives_back=True)
    assert abs(anonymous_bytes() - before) < 1_000_000
    assert cache.lengths.tolist() == [100_000, 0]
    assert np.all(cache.buffer[:, :, 0] == 7)
    assert cache.row(1).new_bytes(1) == 2 * 2 * 16 * 4


def test_the_move_of_a_row_makes_no_copy_of_its_own() -> None:
    cache = filled([0, 5_000], capacity=5_000)
    tracemalloc.start()
    cache.move(1, 0)
    cache.row(1).copy_from(cache.row(0), 5_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < cache.buffer.nbytes / 100
    assert np.all(cache.buffer == 2)


def test_memory_of_another_kind_is_kept() -> None:
    shape = (2, 2, 1, 2, 5_000, 8)
    cache = KeyValueCache(np.ones(shape, dtype=np.float32), np.array([5_000]))
    cache.truncate(0)
    cache.give_back()
    assert np.all(cache.buffer == 1)


def anonymous_bytes() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def test_tokens_that_are_kept_move_together_and_others_are_forgotten() -> None:
    cache = KeyValueCache.allocate(TINY, 1, 8)
    cache.buffer[:] = np.arange(8, dtype=np.float32)[:, None]
    cache.lengths[0] = 7
    cache.keep_tokens(np.array([0, 1, 3, 6]))
    assert cache.lengths.tolist() == [4]
    np.testing.assert_array_equal(cache.buffer[1, 1, 0, 1, :4, 0], [0, 1, 3, 6])


def test_a_row_can_begin_as_a_copy_of_another() -> None:
    source, target = filled([4]), KeyValueCache.allocate(TINY, 2, 9)
    target.row(1).copy_from(source, 3)
    assert target.lengths.tolist() == [0, 3]
    assert np.all(target.buffer[:, :, 1, :, :3] == 1)
    assert np.all(target.buffer[:, :, 1, :, 3:] == 0)


def test_a_truncated_cache_holds_no_more_than_that() -> None:
    cache = filled([3, 1])
    cache.truncate(2)
    assert cache.lengths.tolist() == [2, 1]
