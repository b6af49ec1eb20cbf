import numpy as np
import pytest

from biogpt_onnx.runtime.architecture import Architecture
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.kv_cache import KeyValueCache

TINY = Architecture(num_layers=2, hidden_size=16, num_heads=2, intermediate_size=3, vocab_size=10, max_positions=50)


def filled(lengths: list[int], capacity: int = 6) -> KeyValueCache:
    cache = KeyValueCache.allocate(TINY, len(lengths), capacity)
    for row, length in enumerate(lengths):
        cache.slab[:, :, row, :, :length] = row + 1
        cache.lengths[row] = length
    return cache


def test_rows_that_go_on_keep_their_keys_and_values_in_the_same_memory() -> None:
    cache = filled([3, 1, 6, 2])
    kept = cache.keep([1, 2])
    assert kept.lengths.tolist() == [1, 6]
    assert np.all(kept.slab[:, :, 0, :, :1] == 2)
    assert np.all(kept.slab[:, :, 1, :, :6] == 3)
    assert np.shares_memory(kept.slab, cache.slab)


def test_a_row_is_a_cache_over_the_same_memory() -> None:
    cache = filled([3, 1])
    row = cache.row(1)
    row.slab[:] = 9
    row.lengths += 1
    assert np.all(cache.slab[:, :, 1] == 9)
    assert cache.lengths.tolist() == [3, 2]


def test_rows_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="ascend"):
        filled([1, 2]).keep([1, 0])


def test_a_cache_beyond_all_memory_is_one_clear_error() -> None:
    with pytest.raises(ConfigError, match="max_new_tokens"):
        KeyValueCache.allocate(TINY, 10**6, 10**9)
