"""The CUDA backend: strategies over a model whose sequences have rows of their own in a device's memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Generic

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.cuda.continuations import score_in_rows
from biogpt_onnx.runtime.backends.cuda.decoder import RowDecoder
from biogpt_onnx.runtime.backends.protocol import CacheT, MixedDecoder, TokenScores
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.state import SequenceState

_MAX_BEAM_ROWS = 64
"""Most beams of several prompts that are searched together. Each needs memory for a whole sequence, and for its copy
when beams part."""

_SCORED_TOKENS = 512
"""Most tokens of a text that are scored in a pass, which bounds the logits that are in memory at once."""


class CudaBackend(Generic[CacheT]):
    """A backend whose beams and continuations have a cache row each, because a step of many rows costs that of one.

    See `Backend`.

    Attributes:
        max_positions: most tokens that a sequence may have.
        vocab_size: number of entries of a row of logits.
        device: name of the device.
        mixed: None, because passes are not shared on a GPU.
        reads_prefixes_ahead: False, because most requests read whole prompts anew.
        default_batch_size: number of prompts that are best continued together, 32. A step takes a GPU hardly longer for
            more rows, until their caches fill its memory: 6 GB for 32 rows of 2,048 tokens.
        scores_prefixes_together: True, because a prefix is read again with each continuation.
        num_scored_together: number of prompts whose continuations are best scored together, 128.
        near_tie: None. In half precision a pass over several tokens rounds so differently from a pass over one that
            nearly every draft would have to be computed again. So where the two most likely tokens are within that
            rounding, a draft may end in another token than greedy search.

    Args:
        decoder: the model, which computes the passes.
    """

    reads_prefixes_ahead = False
    mixed: MixedDecoder[CacheT] | None = None
    default_batch_size = 32
    scores_prefixes_together = True
    num_scored_together = 128
    near_tie: float | None = None

    def __init__(self, decoder: RowDecoder[CacheT]) -> None:
        self._decoder = decoder
        self.max_positions, self.vocab_size, self.device = decoder.max_positions, decoder.vocab_size, decoder.device

    @property
    def prefix_capacity(self) -> int:
        """Number of tokens for which the cache of a prefix has room.

        This is the need of one sequence, because a device's memory is taken at once, even if no token reaches it.
        """
        return self.max_positions

    def new_cache(self, batch_size: int, capacity: int) -> CacheT:
        """Returns an empty cache with room for `capacity` tokens a row.

        Raises:
            DeviceMemoryError: the memory is not available.
        """
        return self._decoder.new_cache(batch_size, capacity)

    def check_room(self, tokens: Sequence[int]) -> None:
        """Refuses nothing: a cache takes its memory, or is refused, when it is made."""

    def close(self) -> None:
        """Frees the model; see `Backend`."""
        self._decoder.close()

    def forward(
        self,
        input_ids: npt.NDArray[np.int64],
        cache: CacheT,
        *,
        logits_indices: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Appends int64 [batch, sequence] and returns logits [num_logits, vocab], by default of each row's last."""
        return self._decoder.forward(input_ids, cache, logits_indices=logits_indices)

    def read(self, prompt_ids: Sequence[int], cache: CacheT, limits: Limits) -> TokenScores:
        """Reads the tokens of a prompt that a cache of one row does not hold yet, in one pass; see `Backend`."""
        # In one pass, because its attention stores no scores, and each pass takes time whatever it computes.
        limits.check()
        return self._decoder.forward_row(prompt_ids[int(cache.lengths[0]) :], cache, last_only=True)

    @contextmanager
    def read_prompts(
        self, states: Sequence[SequenceState], limits: Limits, extra_room: int = 0
    ) -> Iterator[tuple[CacheT, TokenScores]]:
        """Reads prompts together, which takes less time than copying prefixes; see `Backend`.

        A single sequence goes on in the cache of its prefix.
        """
        capacity = max(state.max_cached_tokens for state in states) + extra_room
        if len(states) == 1 and states[0].prefix is not None:
            with states[0].prefix.continued(states[0].prompt_ids, capacity, limits) as read:
                yield read
        else:
            yield self._read_together(states, capacity, limits)

    def step(self, input_ids: npt.NDArray[np.int64], cache: CacheT) -> TokenScores:
        """Appends a token to each row, int64 [batch, 1], and returns the scores after it."""
        return self._decoder.step(input_ids, cache)

    def verify(self, token_ids: Sequence[int], cache: CacheT) -> TokenScores:
        """Appends several tokens to the only row, and returns scores with a row for each of them."""
        return self._decoder.forward_row(token_ids, cache)

    def max_beam_prompts(self, num_beams: int) -> int:
        """Returns the number of prompts with so many beams each that are searched together."""
        return max(1, _MAX_BEAM_ROWS // num_beams)

    @contextmanager
    def beams(
        self, states: Sequence[SequenceState], num_beams: int, limits: Limits
    ) -> Iterator[tuple["RowBeams[CacheT]", TokenScores]]:
        """Reads the prompts together, each into a row; see `Backend`."""
        del num_beams
        capacity = max(state.max_cached_tokens for state in states)
        cache, scores = self._read_together(states, capacity, limits)
        yield RowBeams(self._decoder, cache), scores

    def score_continuations(
        self,
        prompts: Sequence[tuple[Sequence[int], Prefix[CacheT] | None]],
        continuations: Sequence[Sequence[int]],
    ) -> list[list[list[float]]]:
        """Reads all prompts with all continuations in rows of their own; see `Backend`."""
        return score_in_rows(self._decoder, [prompt_ids for prompt_ids, _ in prompts], continuations)

    def score_tokens(
        self, prompt_ids: Sequence[int], prefix: Prefix[CacheT] | None, token_ids: Sequence[int]
    ) -> Iterator[float]:
        """Yields the log-probability of each token after a prompt and the tokens before it, in nats.

        Only these log-probabilities are copied to the host. A prefix is read again.
        """
        del prefix
        first = 0
        for scores, count in self._rows_of_tokens(prompt_ids, token_ids):
            tokens = np.array(token_ids[first : first + count], dtype=np.int64)
            first += count
            yield from scores.log_probabilities(np.arange(count), tokens).tolist()

    def scores_of_tokens(
        self, prompt_ids: Sequence[int], prefix: Prefix[CacheT] | None, token_ids: Sequence[int]
    ) -> Iterator[TokenScores]:
        """Yields the scores at the place of each token after a prompt and the tokens before it; see `Backend`.

        A prefix is read again.
        """
        del prefix
        yield from (scores for scores, _ in self._rows_of_tokens(prompt_ids, token_ids))

    def _rows_of_tokens(self, prompt_ids: Sequence[int], token_ids: Sequence[int]) -> Iterator[tuple[TokenScores, int]]:
        """Yields scores with a row for the place of each token behind a prompt, and their number of rows."""
        ids = (*prompt_ids, *token_ids[:-1])
        before_first = len(prompt_ids) - 1
        cache = self.new_cache(1, len(ids))
        # In chunks, because a token's logits take far more memory than its keys and values.
        for start in range(0, len(ids), _SCORED_TOKENS):
            chunk = ids[start : start + _SCORED_TOKENS]
            scores = self._decoder.forward_row(chunk, cache)
            skipped = max(0, before_first - start)
            if skipped < len(chunk):
                yield scores[skipped : len(chunk)], len(chunk) - skipped

    def _read_together(
        self, states: Sequence[SequenceState], capacity: int, limits: Limits
    ) -> tuple[CacheT, TokenScores]:
        cache = self.new_cache(len(states), capacity)
        return cache, self._decoder.forward_prompts([state.prompt_ids for state in states], cache, limits.check)


class RowBeams(Generic[CacheT]):
    """Beams in rows of their own, which are copied when beams part; see `Beams`.

    Args:
        decoder: the model, which computes the steps.
        cache: cache with a row for each beam.
    """

    def __init__(self, decoder: RowDecoder[CacheT], cache: CacheT) -> None:
        self._decoder, self._cache = decoder, cache

    def step(self, parents: Sequence[int], token_ids: Sequence[int]) -> TokenScores:
        """Replaces the beams by continuations of theirs; see `Beams`."""
        self._cache = self._decoder.with_rows(self._cache, parents)
        return self._decoder.step(np.array(token_ids, dtype=np.int64)[:, None], self._cache)
