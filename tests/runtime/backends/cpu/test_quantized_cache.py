"""Bookkeeping of a cache in 8 bits: what has been read, what has been quantized, and where rows go."""

from functools import partial

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache
from biogpt_onnx.runtime.backends.cpu.quantized_cache import QuantizedCache
from biogpt_onnx.runtime.ort.element_types import INT8
from makers.checkpoints import tiny_architecture

TINY = tiny_architecture()
CAPACITY = 300
SCALE = 0.5


def empty(rows: int) -> QuantizedCache:
    scales = np.full((TINY.num_layers, 2, TINY.num_heads, 1, TINY.head_size), SCALE, dtype=np.float32)
    codes = KeyValueCache.allocate(TINY, rows, CAPACITY, INT8)
    return QuantizedCache.empty(codes, scales, partial(KeyValueCache.allocate, TINY, 1, CAPACITY))


def read(cache: QuantizedCache, values: list[float]) -> None:
    """Reads tokens whose keys and values are these numbers, as a pass of the model would write them."""
    reading = cache.to_read()
    first = int(reading.lengths[0])
    for token, value in enumerate(values, start=first):
        reading.buffer[:, :, 0, :, token] = value
    reading.lengths[0] += len(values)


def step(cache: QuantizedCache, codes: list[int]) -> None:
    """Appends a token to each row, with these codes for keys and values."""
    stepping = cache.to_step()
    for row, code in enumerate(codes):
        stepping.buffer[:, :, row, :, stepping.lengths[row]] = code
    stepping.lengths[:] += 1


def codes(cache: QuantizedCache, row: int = 0) -> list[int]:
    """The code of each of a row's tokens, which all of its layers, heads and channels have."""
    stepping = cache.to_step()
    held: npt.NDArray[np.int8] = stepping.buffer[:, :, row, :, : stepping.lengths[row]]
    assert np.all(held == held[:1, :1, :1, :, :1])
    return [int(code) for code in held[0, 0, 0, :, 0]]


def test_what_is_read_is_rounded_to_the_nearest_code_and_clipped() -> None:
    cache = empty(1)
    read(cache, [0.0, 0.6, -0.7, 63.5, 1e6, -1e6])
    assert codes(cache) == [0, 1, -1, 127, 127, -127]
    assert cache.lengths.tolist() == [6]
    assert cache.values(0, 0)[0, 0, :, 0].tolist() == [0.0, 0.5, -0.5, 63.5, 63.5, -63.5]


def test_pieces_of_a_long_text_are_quantized_once_each() -> None:
    cache = empty(1)
    read(cache, [1.0] * 130)
    assert codes(cache) == [2] * 130
    read(cache, [2.0] * 150)
    assert codes(cache) == [2] * 130 + [4] * 150


def test_rows_are_read_one_after_the_other_and_stepped_together() -> None:
    cache = empty(3)
    for row, length in enumerate((2, 0, 3)):
        if length:
            read(cache.row(row), [row + 1.0] * length)
    assert cache.lengths.tolist() == [2, 0, 3]
    cache.end_reading()
    step(cache.front(1), [9])
    assert (codes(cache, 0), codes(cache, 2)) == ([2, 2, 9], [6, 6, 6])


def test_one_row_is_read_while_others_step() -> None:
    cache = empty(2)
    read(cache.row(0), [1.0])
    reading = cache.row(1)
    read(reading, [3.0])
    step(cache.front(1), [7])
    read(reading, [4.0])
    assert cache.lengths.tolist() == [2, 2]
    step(cache, [8, 9])
    assert (codes(cache, 0), codes(cache, 1)) == ([2, 7, 8], [6, 8, 9])


def test_a_row_that_was_stepped_cannot_be_read_on() -> None:
    cache = empty(1)
    read(cache, [1.0])
    step(cache, [5])
    with pytest.raises(ValueError, match="has been stepped"):
        cache.to_read()
    ended = empty(1)
    read(ended, [1.0])
    ended.end_reading()
    with pytest.raises(ValueError, match="has been stepped"):
        ended.to_read()


def test_several_rows_cannot_be_read_at_once() -> None:
    with pytest.raises(ValueError, match="one row at a time, the cache has 2"):
        empty(2).to_read()


def test_a_prefix_is_continued_again_and_again_from_what_was_read() -> None:
    cache = empty(1)
    read(cache, [1.0, 2.0])
    for value, code in ((3.0, 6), (5.0, 10)):
        read(cache, [value])
        step(cache, [99])
        assert codes(cache) == [2, 4, code, 99]
        cache.truncate(2)
        assert cache.lengths.tolist() == [2]


def test_a_copy_of_a_prefix_can_be_read_on_whether_it_was_stepped_or_not() -> None:
    prefix = empty(1)
    read(prefix, [1.0, 2.0, 3.0])
    for _ in range(2):
        copy = empty(2)
        copy.row(1).copy_from(prefix, 2)
        read(copy.row(1), [4.0])
        assert codes(copy, 1) == [2, 4, 8]
        step(prefix, [50])
        prefix.truncate(3)


def test_a_copy_of_a_row_whose_text_is_no_longer_held_can_be_stepped() -> None:
    cache = empty(3)
    read(cache.row(0), [1.0, 2.0])
    read(cache.row(1), [3.0])
    cache.row(2).copy_from(cache.row(0), 2)
    step(cache, [7, 8, 9])
    assert [codes(cache, row) for row in range(3)] == [[2, 4, 7], [6, 8], [2, 4, 9]]


def test_a_row_is_overwritten_by_another() -> None:
    cache = empty(2)
    read(cache.row(0), [1.0])
    read(cache.row(1), [2.0, 3.0])
    cache.move(1, 0)
    assert codes(cache, 0) == [4, 6]
    read_last = empty(2)
    read(read_last.row(0), [1.0])
    step(read_last.front(1), [7])
    read(read_last.row(1), [5.0])
    read_last.move(0, 1)
    assert codes(read_last, 1) == [2, 7]
    assert read_last.lengths.tolist() == [2, 2]


def test_rows_that_go_on_are_moved_to_the_front() -> None:
    cache = empty(3)
    for row in range(3):
        read(cache.row(row), [row + 1.0] * (row + 1))
    kept = cache.keep([0, 2])
    assert kept.lengths.tolist() == [1, 3]
    step(kept, [7, 8])
    assert [codes(kept, row) for row in range(2)] == [[2, 7], [6, 6, 6, 8]]


def test_a_used_row_begins_anew() -> None:
    cache = empty(2)
    read(cache.row(0), [1.0])
    step(cache.front(1), [7])
    row = cache.row(0)
    row.truncate(0)
    read(row, [4.0])
    assert codes(cache, 0) == [8]


def test_tokens_of_a_tree_are_moved_together() -> None:
    cache = empty(1)
    read(cache, [1.0, 2.0, 3.0, 4.0])
    cache.keep_tokens(np.array([0, 1, 3]))
    assert cache.lengths.tolist() == [3]
    assert codes(cache) == [2, 4, 8]


def test_the_memory_of_reading_is_given_back() -> None:
    allocated: list[KeyValueCache] = []

    def allocate() -> KeyValueCache:
        allocated.append(KeyValueCache.allocate(TINY, 1, CAPACITY))
        return allocated[-1]

    scales = np.ones((TINY.num_layers, 2, TINY.num_heads, 1, TINY.head_size), dtype=np.float32)
    cache = QuantizedCache.empty(KeyValueCache.allocate(TINY, 2, CAPACITY, INT8), scales, allocate)
    assert not allocated
    read(cache.row(0), [1.0])
    read(cache.row(1), [2.0])
    assert len(allocated) == 1
    cache.end_reading()
    cache.row(0).truncate(0)
    read(cache.row(0), [3.0])
    assert len(allocated) == 2
    assert [codes(cache, row) for row in range(2)] == [[3], [2]]


def test_a_text_that_is_being_read_survives_that_memory_is_given_back() -> None:
    cache = empty(3)
    read(cache.row(0), [1.0] * 40)
    step(cache.front(1), [9])
    read(cache.row(1), [2.0] * 20)
    cache.give_back()
    read(cache.row(1), [3.0] * 20)
    assert codes(cache, 1) == [4] * 20 + [6] * 20
    cache.give_back()
    step(cache.front(2), [7, 8])
    # The text of the second row has been stepped, so that its float32 copy is not needed any more.
    float32_token = 8 * TINY.num_layers * TINY.hidden_size
    assert cache.give_back() == 40 * float32_token
    assert (codes(cache, 0), codes(cache, 1)) == ([2] * 40 + [9, 7], [4] * 20 + [6] * 20 + [8])
    assert cache.lengths.tolist() == [42, 41, 0]
    read(cache.row(2), [1.0])
    assert codes(cache, 2) == [2]


def test_a_text_that_is_about_to_be_read_may_be_given_room() -> None:
    cache = empty(2)
    reading = cache.row(1).to_read()
    # As the check of the memory does before the first pass.
    cache.give_back()
    reading.buffer[:, :, 0, :, :3] = 1.0
    reading.lengths[0] = 3
    assert cache.lengths.tolist() == [0, 3]
    assert codes(cache, 1) == [2] * 3


def test_a_row_that_gives_its_memory_back_as_it_moves_is_empty_then() -> None:
    cache = empty(2)
    read(cache.row(1), [1.0] * 5)
    cache.move(1, 0, gives_back=True)
    assert cache.lengths.tolist() == [5, 0]
    step(cache.front(1), [3])
    assert codes(cache, 0) == [2] * 5 + [3]
