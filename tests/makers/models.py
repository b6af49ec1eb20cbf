"""Small fake models, which drive the backends and searches without ONNX Runtime."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.cpu.backend import CpuBackend
from biogpt_onnx.runtime.backends.cuda.backend import CudaBackend

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

    def front(self, count: int) -> Self:
        return type(self)(self.rows[:count], self.capacity)

    def some_rows(self, first: int, count: int) -> Self:
        return type(self)(self.rows[first : first + count], self.capacity)

    def move(self, source: int, target: int, *, gives_back: bool = False) -> None:
        self.rows[target][:] = self.rows[source]
        if gives_back:
            self.rows[source].clear()

    def give_back(self) -> int:
        """Holds no memory for tokens that are gone."""
        return 0

    def truncate(self, length: int) -> None:
        for row in self.rows:
            del row[length:]

    def keep_tokens(self, slots: npt.NDArray[np.int64]) -> None:
        self.rows[0][:] = [self.rows[0][slot] for slot in slots]

    def end_reading(self) -> None:
        """Rows hold their tokens in one place."""

    def copy_from(self, source: Self, length: int) -> None:
        self.rows[0][:] = source.rows[0][:length]


class FakeModel:
    """Says after each token's own past what `answer` says: the next token, or the logits.

    A token's past is what the mask lets it see. A next token has the logit 1 and all others 0.
    """

    device = "cpu"
    is_ragged = False

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

    @cached_property
    def backend(self) -> Any:
        return CpuBackend(self)

    def close(self) -> None:
        """Holds nothing that could be freed."""

    @property
    def batch_sizes(self) -> list[int]:
        return [shape[0] for shape in self.shapes]

    def new_cache(self, batch_size: int, capacity: int) -> FakeCache:
        self.caches.append(FakeCache([[] for _ in range(batch_size)], capacity))
        return self.caches[-1]

    def forward(  # noqa: PLR0913 -- the inputs of a pass
        self,
        input_ids: npt.NDArray[np.int64],
        cache: FakeCache,
        *,
        position_ids: npt.NDArray[np.int64] | None = None,
        attention_bias: npt.NDArray[np.float32] | None = None,
        logits_indices: npt.NDArray[np.int64] | None = None,
        num_tokens: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.float32]:
        if num_tokens is not None:
            raise AssertionError("rows are padded, which this model does not take")
        self.shapes.append(input_ids.shape)
        return self.append(input_ids, cache, position_ids, attention_bias, logits_indices)

    def forward_steps(
        self,
        input_ids: npt.NDArray[np.int64],
        cache: FakeCache,
        *,
        logits_indices: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.float32]:
        return self.forward(input_ids, cache, logits_indices=logits_indices)

    def append(  # noqa: PLR0913, PLR0917 -- the inputs of a pass
        self,
        input_ids: npt.NDArray[np.int64],
        cache: FakeCache,
        position_ids: npt.NDArray[np.int64] | None = None,
        attention_bias: npt.NDArray[np.float32] | None = None,
        logits_indices: npt.NDArray[np.int64] | None = None,
        num_tokens: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Computes a pass, or a part of one. After padding, logits are NaN."""
        logits = np.full((*input_ids.shape, self.vocab_size), np.nan, dtype=np.float32)
        for row, tokens in enumerate(input_ids.tolist()):
            bias = None if attention_bias is None else attention_bias[min(row, len(attention_bias) - 1), 0]
            for step, token in enumerate(tokens if num_tokens is None else tokens[: num_tokens[row]]):
                held = cache.rows[row]
                held.append(token)
                masked = None if bias is None else bias[step] < 0
                past = [token for slot, token in enumerate(held) if masked is None or not masked[slot]]
                if position_ids is not None and position_ids[row, step] != len(past) - 1:
                    raise AssertionError("a position that is not the number of tokens before")
                if len(past) > self.max_positions or len(held) > cache.capacity:
                    raise AssertionError("more tokens than the cache or the model has room for")
                answer = self.answer(past)
                logits[row, step] = np.eye(self.vocab_size)[answer] if isinstance(answer, int) else answer
        flat = logits.reshape(-1, self.vocab_size)
        last = np.arange(len(input_ids)) * input_ids.shape[1] - 1
        last += input_ids.shape[1] if num_tokens is None else num_tokens
        return flat[last if logits_indices is None else logits_indices]

    def hidden_states(
        self, input_ids: npt.NDArray[np.int64], cache: FakeCache, indices: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """The hidden state of a token is itself and its position."""
        self.shapes.append(input_ids.shape)
        states = []
        for row, tokens in enumerate(input_ids.tolist()):
            for token in tokens:
                states.append([token, len(cache.rows[row])])
                cache.rows[row].append(token)
        return np.array(states, dtype=np.float32).reshape(-1, 2)[indices]


class RaggedFake(FakeModel):
    """The fake model with passes of any number of tokens for each row.

    Attributes:
        counts: number of tokens of each row, of each pass of padded rows.
    """

    is_ragged = True

    def __init__(
        self,
        answer: Callable[[list[int]], int | npt.NDArray[np.float32]],
        vocab_size: int = 50,
        max_positions: int = 30,
    ) -> None:
        super().__init__(answer, vocab_size, max_positions)
        self.counts: list[list[int]] = []

    def forward(  # noqa: PLR0913 -- the inputs of a pass
        self,
        input_ids: npt.NDArray[np.int64],
        cache: FakeCache,
        *,
        position_ids: npt.NDArray[np.int64] | None = None,
        attention_bias: npt.NDArray[np.float32] | None = None,
        logits_indices: npt.NDArray[np.int64] | None = None,
        num_tokens: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.float32]:
        self.shapes.append(input_ids.shape)
        if num_tokens is not None:
            if num_tokens.min() == 1 < num_tokens.max():
                raise AssertionError("a row of one token beside rows of several, which rounds otherwise than alone")
            if (cache.lengths + input_ids.shape[1]).max() > cache.capacity:
                raise AssertionError("a row has no room for its padding")
            self.counts.append(num_tokens.tolist())
        return self.append(input_ids, cache, position_ids, attention_bias, logits_indices, num_tokens)


class MixedFake(FakeModel):
    """The fake model with passes that read a piece of a prompt and step other sequences.

    Attributes:
        mixed_shapes: numbers of tokens and of steps of each of these passes.
    """

    def __init__(
        self,
        answer: Callable[[list[int]], int | npt.NDArray[np.float32]],
        vocab_size: int = 50,
        max_positions: int = 30,
    ) -> None:
        super().__init__(answer, vocab_size, max_positions)
        self.mixed_shapes: list[tuple[int, int]] = []

    @cached_property
    def backend(self) -> Any:
        return CpuBackend(self, self)

    def read_and_step(
        self,
        piece_ids: npt.NDArray[np.int64],
        cache: FakeCache,
        step_ids: npt.NDArray[np.int64],
        step_cache: FakeCache,
        *,
        is_last: bool,
    ) -> npt.NDArray[np.float32]:
        if any(row is cache.rows[0] for row in step_cache.rows):
            raise AssertionError("a row cannot be read and stepped in one pass")
        self.mixed_shapes.append((piece_ids.shape[1], len(step_ids)))
        steps = self.append(step_ids, step_cache)
        after = self.append(piece_ids, cache)
        return np.concatenate([steps, after]) if is_last else steps


class FakeTokenScores:
    """Scores on a device; they count with the model what is copied to the host."""

    is_captured = False
    prefers_parts = True

    def __init__(self, model: "DeviceFake", logits: npt.NDArray[np.float32]) -> None:
        self._model, self._logits = model, logits
        self.vocab_size = logits.shape[1]

    def top_tokens(self, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]] | None:
        if count > SELECTED:
            return None
        self._model.selections += 1
        logits = self._logits
        if count == 1:
            ids = logits.argmax(axis=-1)[:, None]
        else:
            # Among equals a device may take any: here the last.
            ids = self.vocab_size - 1 - np.argsort(-logits[:, ::-1], axis=-1, kind="stable")[:, :SELECTED]
        return ids, np.take_along_axis(_log_softmax(logits), ids, axis=-1)

    def log_probabilities(self, rows: npt.NDArray[np.int64], tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        self._model.look_ups += 1
        return np.asarray(_log_softmax(self._logits)[rows, tokens])

    def logits(self) -> npt.NDArray[np.float32]:
        self._model.brought += 1
        return self._logits.copy()

    def __getitem__(self, rows: slice) -> "FakeTokenScores":
        return FakeTokenScores(self._model, self._logits[rows])


class DeviceFake(FakeModel):
    """The fake model on a device, whose rows hold no trees.

    Attributes:
        selections: how often the most likely tokens were copied to the host.
        look_ups: how often those of given tokens were.
        brought: how often all logits were.
    """

    device = "cuda"

    selections = look_ups = brought = 0

    def forward(
        self, input_ids: npt.NDArray[np.int64], cache: FakeCache, **inputs: npt.NDArray[Any] | None
    ) -> npt.NDArray[np.float32]:
        if set(inputs) - {"logits_indices"}:
            raise AssertionError(f"a device takes no {set(inputs)}")
        return super().forward(input_ids, cache, **inputs)

    @cached_property
    def backend(self) -> Any:
        return CudaBackend(self)

    def step(self, input_ids: npt.NDArray[np.int64], cache: FakeCache) -> FakeTokenScores:
        return FakeTokenScores(self, self.forward(input_ids, cache))

    def forward_prompts(
        self, prompts: Sequence[Sequence[int]], cache: FakeCache, check: Callable[[], None]
    ) -> FakeTokenScores:
        check()
        logits = [self.forward(np.array([prompt]), cache.row(row)) for row, prompt in enumerate(prompts)]
        return FakeTokenScores(self, np.concatenate(logits))

    def forward_row(self, token_ids: Sequence[int], cache: FakeCache, *, last_only: bool = False) -> FakeTokenScores:
        wanted = None if last_only else np.arange(len(token_ids))
        return FakeTokenScores(self, self.forward(np.array([token_ids]), cache, logits_indices=wanted))

    def log_probabilities(
        self, sequences: Sequence[Sequence[int]], requested: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        found = []
        for number, place, token in requested.tolist():
            cache = self.new_cache(1, self.max_positions)
            logits = self.forward(np.array([sequences[number][: place + 1]]), cache)
            found.append(_log_softmax(logits)[0, token])
        return np.array(found, dtype=np.float32)

    def with_rows(self, cache: FakeCache, rows: Sequence[int]) -> FakeCache:
        return FakeCache([list(cache.rows[row]) for row in rows], cache.capacity)


def _log_softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)), dtype=np.float32)
