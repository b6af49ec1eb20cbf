"""The CPU backend: strategies over a model that takes an attention bias."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Generic

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.chunks import CHUNK_TOKENS, chunks, is_paced, logits_by_chunk, requested_in
from biogpt_onnx.runtime.backends.cpu.decoder import TreeCacheT, TreeDecoder
from biogpt_onnx.runtime.backends.cpu.prompts import one_prompt_read, prefill
from biogpt_onnx.runtime.backends.cpu.prompts_together import read_prompts_together, rows_of_a_pass
from biogpt_onnx.runtime.backends.cpu.trees.continuations import (
    score_single_tokens,
    score_with_prompt,
    score_with_prompts,
)
from biogpt_onnx.runtime.backends.cpu.trees.tree_beams import TreeBeams
from biogpt_onnx.runtime.backends.finite_scores import refuse_not_finite
from biogpt_onnx.runtime.backends.host_scores import HostTokenScores
from biogpt_onnx.runtime.backends.protocol import MixedDecoder, TokenScores
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.selection.sampler import log_probabilities
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.memory.guard import CacheGuard

_NEAR_TIE = 1e-3
"""Difference of logits below which tokens may change places in a pass over several tokens, which rounds differently.

Float32 logits of BioGPT's size differed by 3e-6 at most. Where activations are quantized, a last digit that is rounded
the other way moves logits by up to 0.06, seldom: to be certain there too, nearly every draft would have to be computed
again.
"""

_MAX_BEAMS = 32
"""Most beams of all prompts of a pass."""


class CpuBackend(Generic[TreeCacheT]):
    """A backend whose beams and continuations share one row of a cache, as branches of a tree of tokens.

    A step of many rows costs many times a step of one, so that beams are no rows. The trees of several prompts
    grow in one pass where the decoder is ragged, and one after the other where it is not. See `Backend`.

    Attributes:
        max_positions: most tokens that a sequence may have.
        vocab_size: number of entries of a row of logits.
        device: name of the device.
        reads_prefixes_ahead: True, so that a prefix is read when it is made.
        default_batch_size: number of prompts that are best continued together, 8.
        scores_prefixes_together: False, because each prefix is continued in its own memory.
        near_tie: difference of logits below which drafts are verified again step by step.
        mixed: takes passes that read a piece of a prompt and step other sequences; None without the mixed graph.

    Args:
        decoder: the model, which computes the passes.
        mixed: the same model, if it takes such passes.
        guard: the check of the memory that caches take; None to check nothing.
        beam_decoder: the model by which beams grow behind their prompts, over the same caches; None for `decoder`.
    """

    reads_prefixes_ahead = True
    default_batch_size = 8
    scores_prefixes_together = False
    near_tie: float | None = _NEAR_TIE

    def __init__(
        self,
        decoder: TreeDecoder[TreeCacheT],
        mixed: MixedDecoder[TreeCacheT] | None = None,
        guard: CacheGuard | None = None,
        beam_decoder: TreeDecoder[TreeCacheT] | None = None,
    ) -> None:
        self._decoder, self.mixed, self._guard = decoder, mixed, guard
        self._beam_decoder = beam_decoder or decoder
        self.max_positions, self.vocab_size, self.device = decoder.max_positions, decoder.vocab_size, decoder.device

    @property
    def prefix_capacity(self) -> int:
        """Number of tokens for which the cache of a prefix has room.

        This is twice the need of one sequence, for continuations in a tree; memory that no token reaches is not taken.
        """
        return 2 * self.max_positions

    @property
    def num_scored_together(self) -> int:
        """Number of prompts whose continuations are best scored together: 8 where the decoder is ragged, else 1."""
        return self.default_batch_size if self._decoder.is_ragged else 1

    def new_cache(self, batch_size: int, capacity: int) -> TreeCacheT:
        """Returns an empty cache with room for `capacity` tokens a row.

        Raises:
            MemoryLimitError: the memory is not available.
        """
        return self._decoder.new_cache(batch_size, capacity)

    def check_room(self, tokens: Sequence[int]) -> None:
        """Refuses a cache whose rows will hold so many tokens each for certain, if they do not fit in memory.

        Raises:
            MemoryLimitError: they do not fit.
        """
        if self._guard is not None:
            self._guard.check_cache(tokens)

    def close(self) -> None:
        """Frees the model; see `Backend`."""
        self._decoder.close()

    def forward(
        self,
        input_ids: npt.NDArray[np.int64],
        cache: TreeCacheT,
        *,
        logits_indices: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Appends int64 [batch, sequence] and returns logits [num_logits, vocab], by default of each row's last."""
        return self._decoder.forward(input_ids, cache, logits_indices=logits_indices)

    def read(self, prompt_ids: Sequence[int], cache: TreeCacheT, limits: Limits) -> TokenScores:
        """Reads the tokens of a prompt that a cache of one row does not hold yet; see `Backend`."""
        return HostTokenScores(prefill(self._decoder, prompt_ids, cache, limits))

    @contextmanager
    def read_prompts(
        self, states: Sequence[SequenceState], limits: Limits, extra_room: int = 0
    ) -> Iterator[tuple[TreeCacheT, TokenScores]]:
        """Reads prompts, a single one in the cache of its prefix; see `Backend`.

        Raises:
            MemoryLimitError: their keys and values, and those of tokens that will come for certain, do not fit.
        """
        self.check_room([_certain_tokens(state) for state in states])
        if len(states) == 1:
            room = states[0].max_new_tokens - 1 + extra_room
            with one_prompt_read(self, states[0].prompt_ids, states[0].prefix, room, limits) as read:
                if states[0].prefix is None:
                    read[0].end_reading()
                yield read
        else:
            capacity = max(state.max_cached_tokens for state in states) + extra_room
            cache = self.new_cache(len(states), capacity)
            scores = read_prompts_together(self, self._decoder, states, cache, limits)
            cache.end_reading()
            yield cache, scores

    def step(self, input_ids: npt.NDArray[np.int64], cache: TreeCacheT) -> TokenScores:
        """Appends a token to each row, int64 [batch, 1], and returns the scores after it."""
        return HostTokenScores(self._decoder.forward_steps(input_ids, cache))

    def verify(self, token_ids: Sequence[int], cache: TreeCacheT) -> TokenScores:
        """Appends several tokens to the only row, and returns scores with a row for each of them."""
        ids = np.array([token_ids], dtype=np.int64)
        return HostTokenScores(self._decoder.forward_steps(ids, cache, logits_indices=np.arange(ids.shape[1])))

    def max_beam_prompts(self, num_beams: int) -> int:
        """Returns the number of prompts with so many beams each whose trees grow in one pass."""
        return max(1, _MAX_BEAMS // num_beams) if self._decoder.is_ragged else 1

    @contextmanager
    def beams(
        self, states: Sequence[SequenceState], num_beams: int, limits: Limits
    ) -> Iterator[tuple[TreeBeams[TreeCacheT], TokenScores]]:
        """Reads the prompts, whose beams become branches of a tree for each; see `Backend`.

        Raises:
            MemoryLimitError: the keys and values of the prompts do not fit.
        """
        self.check_room([_certain_tokens(state) for state in states])
        rooms = [num_beams * (state.max_new_tokens - 1) for state in states]
        if len(states) == 1:
            with one_prompt_read(self, states[0].prompt_ids, states[0].prefix, rooms[0], limits) as (cache, scores):
                yield TreeBeams(self._beam_decoder, cache), scores
        else:
            capacity = max(len(state.prompt_ids) + room for state, room in zip(states, rooms, strict=True))
            # A row may get as many tokens of padding as another one has beams.
            cache = self.new_cache(len(states), capacity + num_beams)
            scores = read_prompts_together(self, self._decoder, states, cache, limits)
            yield TreeBeams(self._beam_decoder, cache), scores

    def score_continuations(
        self,
        prompts: Sequence[tuple[Sequence[int], Prefix[TreeCacheT] | None]],
        continuations: Sequence[Sequence[int]],
    ) -> list[list[list[float]]]:
        """Reads each prompt once, and all continuations behind it as a tree; see `Backend`."""
        capacity = max(len(prompt_ids) for prompt_ids, _ in prompts) + sum(map(len, continuations)) + CHUNK_TOKENS
        together = rows_of_a_pass(capacity) if self.num_scored_together > 1 and not is_paced() else 1
        scores: list[list[list[float]]] = []
        for first in range(0, len(prompts), together):
            group = prompts[first : first + together]
            if len(group) > 1 and all(prefix is None for _, prefix in group):
                self.check_room([len(ids) + sum(map(len, continuations)) for ids, _ in group])
                cache = self.new_cache(len(group), capacity)
                scores += score_with_prompts(self._decoder, cache, [ids for ids, _ in group], continuations)
            else:
                scores += [self._score_behind(prompt_ids, prefix, continuations) for prompt_ids, prefix in group]
        return scores

    def score_tokens(
        self, prompt_ids: Sequence[int], prefix: Prefix[TreeCacheT] | None, token_ids: Sequence[int]
    ) -> Iterator[float]:
        """Yields the log-probability of each token after a prompt and the tokens before it, in nats."""
        first = 0
        for logits in self._logits_before_each(prompt_ids, prefix, token_ids):
            refuse_not_finite(logits)
            tokens = np.array(token_ids[first : first + len(logits)], dtype=np.int64)
            first += len(logits)
            yield from log_probabilities(logits, tokens).tolist()

    def scores_of_tokens(
        self, prompt_ids: Sequence[int], prefix: Prefix[TreeCacheT] | None, token_ids: Sequence[int]
    ) -> Iterator[TokenScores]:
        """Yields the scores at the place of each token after a prompt and the tokens before it; see `Backend`."""
        yield from map(HostTokenScores, self._logits_before_each(prompt_ids, prefix, token_ids))

    def hidden_states(self, ids: Sequence[int], first: int = 0) -> Iterator[npt.NDArray[np.float32]]:
        """Yields the hidden states of a sequence's tokens from number `first` on, [tokens, hidden] each.

        Raises:
            BundleError: the bundle's graph does not output hidden states.
        """
        self.check_room([len(ids)])
        cache, row = self.new_cache(1, len(ids)), np.array([ids], dtype=np.int64)
        for chunk in chunks(0, len(ids)):
            yield self._decoder.hidden_states(row[:, chunk], cache, requested_in(chunk, first))

    def _logits_before_each(
        self, prompt_ids: Sequence[int], prefix: Prefix[TreeCacheT] | None, token_ids: Sequence[int]
    ) -> Iterator[npt.NDArray[np.float32]]:
        # The last token is never read.
        ids = (*prompt_ids, *token_ids[:-1])
        if prefix is None:
            self.check_room([len(ids)])
            yield from logits_by_chunk(self, ids, self.new_cache(1, len(ids)), first=len(prompt_ids) - 1)
            return
        with prefix.begun(prompt_ids, len(ids)) as cache:
            yield from logits_by_chunk(self, ids, cache, first=len(prompt_ids) - 1)

    def _score_behind(
        self,
        prompt_ids: Sequence[int],
        prefix: Prefix[TreeCacheT] | None,
        continuations: Sequence[Sequence[int]],
    ) -> list[list[float]]:
        room = sum(map(len, continuations))
        if prefix is None:
            self.check_room([len(prompt_ids) + room])
            cache = self.new_cache(1, len(prompt_ids) + room)
            return score_with_prompt(self._decoder, cache, prompt_ids, continuations, Limits())
        capacity = len(prompt_ids) + room
        if max(map(len, continuations)) == 1:
            # Their scores are those after the prompt, which a prefix holds if it is all of the prompt.
            with prefix.continued(prompt_ids, capacity, Limits()) as (_, scores):
                return score_single_tokens(scores.logits(), continuations)
        with prefix.begun(prompt_ids, capacity) as cache:
            return score_with_prompt(self._decoder, cache, prompt_ids, continuations, Limits())


def _certain_tokens(state: SequenceState) -> int:
    """Returns the number of tokens of a sequence whose keys and values take memory for certain."""
    shared = 0 if state.prefix is None else state.prefix.shared_with(state.prompt_ids)
    return max(0, state.least_cached_tokens - shared)
