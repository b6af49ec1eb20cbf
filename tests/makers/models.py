"""A model of ten lines, which drives the searches without ONNX Runtime."""

from collections.abc import Callable, Sequence
from typing import Self

import numpy as np
import numpy.typing as npt


class FakeCache:
    """The tokens of each row themselves."""

    def __init__(self, rows: list[list[int]], capacity: int) -> None:
        self.rows = rows
        self.capacity = capacity

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        return np.array([len(row) for row in self.rows])

    def row(self, index: int) -> Self:
        return type(self)([self.rows[index]], self.capacity)

    def keep(self, rows: Sequence[int]) -> Self:
        return type(self)([self.rows[row] for row in rows], self.capacity)


class FakeModel:
    """Says after each row's tokens what `next_token` says, with the logits 1 for it and 0 for all others."""

    def __init__(self, next_token: Callable[[list[int]], int], vocab_size: int = 50, max_positions: int = 30) -> None:
        self.next_token = next_token
        self.vocab_size = vocab_size
        self.max_positions = max_positions
        self.batch_sizes: list[int] = []
        self.caches: list[FakeCache] = []

    def new_cache(self, batch_size: int, capacity: int) -> FakeCache:
        self.caches.append(FakeCache([[] for _ in range(batch_size)], capacity))
        return self.caches[-1]

    def forward(
        self,
        input_ids: npt.NDArray[np.int64],
        cache: FakeCache,
        *,
        position_ids: npt.NDArray[np.int64] | None = None,  # noqa: ARG002 -- the protocol's
        attention_bias: npt.NDArray[np.float32] | None = None,  # noqa: ARG002 -- likewise
        logits_indices: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.float32]:
        self.batch_sizes.append(len(input_ids))
        logits = np.zeros((*input_ids.shape, self.vocab_size), dtype=np.float32)
        for row, tokens in enumerate(input_ids.tolist()):
            for step, token in enumerate(tokens):
                cache.rows[row].append(token)
                logits[row, step, self.next_token(cache.rows[row])] = 1
        if max(cache.lengths) > min(cache.capacity, self.max_positions):
            raise AssertionError("more tokens than the cache or the model has room for")
        flat = logits.reshape(-1, self.vocab_size)
        last = np.arange(1, len(input_ids) + 1) * input_ids.shape[1] - 1
        return flat[last if logits_indices is None else logits_indices]
