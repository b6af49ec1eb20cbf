"""The protocols between strategies and devices: `Backend`, its `Cache`, and the `TokenScores` that it returns.

A strategy is written against these protocols alone, so that it runs on every device and is tested with a small fake.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.limits import Limits

if TYPE_CHECKING:
    from biogpt_onnx.runtime.decoding.prefix import Prefix
    from biogpt_onnx.runtime.decoding.state import SequenceState


class Cache(Protocol):
    """The key-value cache of a batch of sequences, with a row for each."""

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Number of tokens held by each row, [batch]."""
        ...

    @property
    def capacity(self) -> int:
        """Number of tokens that a row has room for."""
        ...

    def row(self, index: int) -> Self:
        """Returns one row as a cache of its own, over the same memory."""
        ...

    def keep(self, rows: Sequence[int]) -> Self:
        """Returns a cache of these rows alone (ascending); the old one must not be used again."""
        ...

    def truncate(self, length: int) -> None:
        """Removes the tokens of every row beyond the first `length`."""
        ...

    def copy_from(self, source: Self, length: int) -> None:
        """Replaces the only row of this cache by the first `length` tokens of another cache's only row."""
        ...


CacheT = TypeVar("CacheT", bound=Cache)
_CacheT_contra = TypeVar("_CacheT_contra", bound=Cache, contravariant=True)


class TokenScores(Protocol):
    """Next-token scores of several rows; only the requested values are copied to the host.

    They are valid until tokens are appended to the rows.
    """

    @property
    def vocab_size(self) -> int:
        """Number of entries of a row of logits."""
        ...

    @property
    def is_captured(self) -> bool:
        """True if the pass that computed them was replayed from a CUDA graph."""
        ...

    @property
    def prefers_parts(self) -> bool:
        """True if reading a part of the scores costs less than reading all logits."""
        ...

    def top_tokens(self, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]] | None:
        """Returns the ids of the most likely tokens and their log-probabilities in nats, both [rows, `count` or more].

        For a `count` of 1, the first of equally likely tokens is returned. For more, any of equally likely tokens may
        be among them, in any order. None if so many cannot be selected.
        """
        ...

    def log_probabilities(self, rows: npt.NDArray[np.int64], tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Returns the log-probabilities of single tokens [requested] in these rows [requested], in nats."""
        ...

    def logits(self) -> npt.NDArray[np.float32]:
        """Returns all logits, [rows, vocab], which the caller may change."""
        ...

    def __getitem__(self, rows: slice) -> Self:
        """Returns the scores of some of the rows."""
        ...


class Decoder(Protocol[CacheT]):
    """A model that appends tokens to a cache and computes logits."""

    @property
    def max_positions(self) -> int:
        """Most tokens that a sequence may have."""
        ...

    @property
    def vocab_size(self) -> int:
        """Number of entries of a row of logits."""
        ...

    @property
    def device(self) -> str:
        """Name of the device on which it runs, such as "cpu"."""
        ...

    def new_cache(self, batch_size: int, capacity: int) -> CacheT:
        """Returns an empty cache with room for `capacity` tokens a row."""
        ...

    def close(self) -> None:
        """Frees the model; passes that are being computed end first, later ones raise a `ModelClosedError`."""
        ...

    def forward(
        self,
        input_ids: npt.NDArray[np.int64],
        cache: CacheT,
        *,
        logits_indices: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Appends int64 [batch, sequence] and returns logits [num_logits, vocab], by default of each row's last."""
        ...


class MixedDecoder(Protocol[_CacheT_contra]):
    """A model that reads a piece of a prompt and steps other sequences in one pass."""

    def read_and_step(
        self,
        piece_ids: npt.NDArray[np.int64],
        cache: _CacheT_contra,
        step_ids: npt.NDArray[np.int64],
        step_cache: _CacheT_contra,
        *,
        is_last: bool,
    ) -> npt.NDArray[np.float32]:
        """Appends a piece of a prompt to one cache and a token to each row of another.

        Each row's logits are, to the last bit, those of a pass of its own. After an error, the caches hold what they
        held before.

        Args:
            piece_ids: token ids of the piece, [1, sequence].
            cache: cache of one row, which gets the piece.
            step_ids: the next token of each sequence that steps, [steps, 1], at least one.
            step_cache: cache of `steps` rows, over other memory than `cache`.
            is_last: True to compute the logits after the piece, too.

        Returns:
            Logits after each step and, behind them, those after the piece if they are requested, [steps, vocab] or
            [steps + 1, vocab].
        """
        ...


class Beams(Protocol):
    """The running beams of one or several prompts on a device, numbered from 0 in the order of the last step."""

    def step(self, parents: Sequence[int], token_ids: Sequence[int]) -> TokenScores:
        """Replaces the beams by continuations of theirs and returns the scores after each of the new beams.

        Args:
            parents: for each new beam, the number of the beam that it continues; a beam may be continued several times,
                and one that is not named ends.
            token_ids: token that each new beam appends.
        """
        ...


class Backend(Decoder[CacheT], Protocol[CacheT]):
    """A device that reads prompts, steps rows, verifies drafts, continues beams and scores continuations."""

    @property
    def mixed(self) -> MixedDecoder[CacheT] | None:
        """Model whose passes read a piece of a prompt and step other sequences; None if it takes no such passes."""
        ...

    @property
    def reads_prefixes_ahead(self) -> bool:
        """True if a prefix is read when it is made, False if when it is first continued."""
        ...

    @property
    def prefix_capacity(self) -> int:
        """Number of tokens for which the cache of a prefix has room, the prefix's own included."""
        ...

    @property
    def default_batch_size(self) -> int:
        """Number of prompts that are best continued together, unless the caller decides otherwise."""
        ...

    @property
    def scores_prefixes_together(self) -> bool:
        """True if continuations of many prefixes are scored in one pass, False if prefix by prefix."""
        ...

    @property
    def num_scored_together(self) -> int:
        """Number of prompts whose continuations are best scored together; 1 if prompt by prompt."""
        ...

    @property
    def near_tie(self) -> float | None:
        """Difference of logits below which a pass over several tokens may rank two of them differently than a step.

        Where the two most likely tokens are closer, a draft is verified again step by step. None if drafts are accepted
        as the device rounds.
        """
        ...

    def check_room(self, tokens: Sequence[int]) -> None:
        """Refuses a cache for which there is no memory, as far as the device can tell beforehand.

        Args:
            tokens: tokens that each row of the cache will hold for certain, [rows].

        Raises:
            MemoryLimitError: they do not fit.
        """
        ...

    def read(self, prompt_ids: Sequence[int], cache: CacheT, limits: Limits) -> TokenScores:
        """Reads the tokens of a prompt that a cache of one row does not hold yet; returns the scores after the last.

        Raises:
            Interrupted: a limit was reached.
        """
        ...

    def read_prompts(
        self, states: "Sequence[SequenceState]", limits: Limits, extra_room: int = 0
    ) -> AbstractContextManager[tuple[CacheT, TokenScores]]:
        """Reads the prompts of sequences into a cache with a row for each; yields it and the scores after each prompt.

        Args:
            states: sequences; a row has room for the new tokens that its sequence may get.
            limits: limits that are checked before each pass.
            extra_room: number of tokens for which each row has room in addition.

        Raises:
            Interrupted: a limit was reached.
        """
        ...

    def step(self, input_ids: npt.NDArray[np.int64], cache: CacheT) -> TokenScores:
        """Appends a token to each row, int64 [batch, 1], and returns the scores after it."""
        ...

    def verify(self, token_ids: Sequence[int], cache: CacheT) -> TokenScores:
        """Appends several tokens to the only row, and returns scores with a row for each of them."""
        ...

    def max_beam_prompts(self, num_beams: int) -> int:
        """Returns the number of prompts with so many beams each that are searched together."""
        ...

    def beams(
        self, states: "Sequence[SequenceState]", num_beams: int, limits: Limits
    ) -> AbstractContextManager[tuple[Beams, TokenScores]]:
        """Reads the prompts of sequences, and yields a beam for each and the scores after each prompt.

        Args:
            states: at most `max_beam_prompts(num_beams)` sequences.
            num_beams: most beams of each prompt from the first step on.
            limits: limits that are checked before each pass.

        Raises:
            Interrupted: a limit was reached.
        """
        ...

    def score_continuations(
        self,
        prompts: "Sequence[tuple[Sequence[int], Prefix[CacheT] | None]]",
        continuations: Sequence[Sequence[int]],
    ) -> list[list[list[float]]]:
        """Returns the log-probability of each token of each continuation after each prompt, in nats.

        Args:
            prompts: token ids of each prompt, at least one, and the prefix that they may begin with.
            continuations: token ids of each continuation, at least one; all prompts have the same continuations.
        """
        ...

    def score_tokens(
        self, prompt_ids: Sequence[int], prefix: "Prefix[CacheT] | None", token_ids: Sequence[int]
    ) -> Iterator[float]:
        """Yields the log-probability of each token after a prompt and the tokens before it, in nats."""
        ...

    def scores_of_tokens(
        self, prompt_ids: Sequence[int], prefix: "Prefix[CacheT] | None", token_ids: Sequence[int]
    ) -> Iterator[TokenScores]:
        """Yields the scores at the place of each token after a prompt and the tokens before it, some rows at a time."""
        ...
