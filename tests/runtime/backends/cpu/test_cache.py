from pathlib import Path

import numpy as np
import pytest

from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.errors import MemoryLimitError

TINY = Architecture(num_layers=2, hidden_size=16, num_heads=2, intermediate_size=3, vocab_size=10, max_positions=50)


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


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="Linux tells how much memory is taken")
def test_room_that_no_token_reaches_takes_no_memory() -> None:
    before = anonymous_bytes()
    cache = KeyValueCache.allocate(TINY, 1, 1_000_000)
    cache.buffer[:, :, :, :, :10] = 1
    assert cache.buffer.nbytes > 250_000_000
    assert anonymous_bytes() - before < 20_000_000


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
