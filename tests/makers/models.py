"""A model of a few lines, which drives the searches without ONNX Runtime."""

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.model import Selection

SELECTED = 8
"""Tokens that a fake on a device selects."""


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

    def truncate(self, length: int) -> None:
        for row in self.rows:
            del row[length:]

    def keep_tokens(self, slots: npt.NDArray[np.int64]) -> None:
        self.rows[0][:] = [self.rows[0][slot] for slot in slots]

    def copy_from(self, source: Self, length: int) -> None:
        self.rows[0][:] = source.rows[0][:length]


class FakeModel:
    """Says after each token's own past what `answer` says: the next token, or the logits.

    A token's past is what the mask lets it see. A next token has the logit 1 and all others 0.
    """

    def __init__(
        self,
        answer: Callable[[list[int]], int | npt.NDArray[np.float32]],
        vocab_size: int = 50,
        max_positions: int = 30,
    ) -> None:
        self.answer = answer
        self.vocab_size = vocab_size
        self.max_positions = max_positions
        self.shapes: list[tuple[int, ...]] = []
        self.caches: list[FakeCache] = []

    @property
    def batch_sizes(self) -> list[int]:
        return [shape[0] for shape in self.shapes]

    def new_cache(self, batch_size: int, capacity: int) -> FakeCache:
        self.caches.append(FakeCache([[] for _ in range(batch_size)], capacity))
        return self.caches[-1]

    def forward(
        self,
        input_ids: npt.NDArray[np.int64],
        cache: FakeCache,
        *,
        position_ids: npt.NDArray[np.int64] | None = None,
        attention_bias: npt.NDArray[np.float32] | None = None,
        logits_indices: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.float32]:
        self.shapes.append(input_ids.shape)
        logits = np.zeros((*input_ids.shape, self.vocab_size), dtype=np.float32)
        for row, tokens in enumerate(input_ids.tolist()):
            for step, token in enumerate(tokens):
                held = cache.rows[row]
                held.append(token)
                masked = None if attention_bias is None else attention_bias[0, 0, step] < 0
                past = [token for slot, token in enumerate(held) if masked is None or not masked[slot]]
                if position_ids is not None and position_ids[row, step] != len(past) - 1:
                    raise AssertionError("a position that is not the number of tokens before")
                if len(past) > self.max_positions or len(held) > cache.capacity:
                    raise AssertionError("more tokens than the cache or the model has room for")
                answer = self.answer(past)
                logits[row, step] = np.eye(self.vocab_size)[answer] if isinstance(answer, int) else answer
        flat = logits.reshape(-1, self.vocab_size)
        last = np.arange(1, len(input_ids) + 1) * input_ids.shape[1] - 1
        return flat[last if logits_indices is None else logits_indices]


class SelectingFake(FakeModel):
    """The fake model on a device that selects; it counts how often all logits were brought."""

    most_selected = SELECTED
    brought = 0
    selections = 0

    def forward_selected(self, input_ids: npt.NDArray[np.int64], cache: FakeCache, count: int) -> Selection:
        self.selections += 1
        return self.likeliest(self.forward(input_ids, cache), count)

    def likeliest(self, logits: npt.NDArray[np.float32], count: int) -> Selection:
        if count == 1:
            ids = logits.argmax(axis=-1)[:, None]
        else:
            # Among equals a device may take any: here the last.
            ids = self.vocab_size - 1 - np.argsort(-logits[:, ::-1], axis=-1, kind="stable")[:, :SELECTED]
        shifted = logits - logits.max(axis=-1, keepdims=True)
        log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))

        def all_logits() -> npt.NDArray[np.float32]:
            self.brought += 1
            return logits

        return Selection(ids, np.take_along_axis(log_probabilities, ids, axis=-1), all_logits)


class BatchFake(SelectingFake):
    """One whose batches are cheap too, and whose rows hold no trees."""

    def forward(
        self, input_ids: npt.NDArray[np.int64], cache: FakeCache, **inputs: npt.NDArray[Any] | None
    ) -> npt.NDArray[np.float32]:
        if set(inputs) - {"logits_indices"}:
            raise AssertionError(f"a device takes no {set(inputs)}")
        return super().forward(input_ids, cache, **inputs)

    def forward_prompts(
        self, prompts: Sequence[Sequence[int]], cache: FakeCache, count: int, check: Callable[[], None]
    ) -> Selection:
        check()
        logits = [self.forward(np.array([prompt]), cache.row(row)) for row, prompt in enumerate(prompts)]
        return self.likeliest(np.concatenate(logits), count)

    def forward_chain(self, token_ids: Sequence[int], cache: FakeCache) -> Selection:
        logits = self.forward(np.array([token_ids]), cache, logits_indices=np.arange(len(token_ids)))
        return self.likeliest(logits, 1)

    def log_probabilities(
        self, sequences: Sequence[Sequence[int]], asked: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        found = []
        for number, place, token in asked.tolist():
            cache = self.new_cache(1, self.max_positions)
            logits = self.forward(np.array([sequences[number][: place + 1]]), cache)[0]
            found.append(logits[token] - np.log(np.exp(logits).sum()))
        return np.array(found, dtype=np.float32)

    def with_rows(self, cache: FakeCache, rows: Sequence[int]) -> FakeCache:
        return FakeCache([list(cache.rows[row]) for row in rows], cache.capacity)
