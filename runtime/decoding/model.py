"""What a search needs of a model: small enough that a test writes one in ten lines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt


class Cache(Protocol):
    """The state of a batch of sequences."""

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens held by each row, [batch]."""
        ...

    @property
    def capacity(self) -> int:
        """Tokens that a row has room for."""
        ...

    def row(self, index: int) -> Self:
        """One row as a cache of its own, over the same memory."""
        ...

    def keep(self, rows: Sequence[int]) -> Self:
        """A cache of these rows alone (ascending); the old one must not be used again."""
        ...

    def truncate(self, length: int) -> None:
        """Forgets what every row holds beyond `length` tokens."""
        ...

    def copy_from(self, source: Self, length: int) -> None:
        """Makes the only row of this cache the first tokens of another's only row."""
        ...


class TreeCache(Cache, Protocol):
    """One of which tokens in the middle can be forgotten."""

    def keep_tokens(self, slots: npt.NDArray[np.int64]) -> None:
        """Keeps these tokens (ascending) of the only row, moved together."""
        ...


CacheT = TypeVar("CacheT", bound=Cache)
TreeCacheT = TypeVar("TreeCacheT", bound=TreeCache)


class DecoderModel(Protocol[CacheT]):
    """A model that appends tokens to a cache and says what may follow."""

    @property
    def max_positions(self) -> int:
        """Tokens that a sequence may have."""
        ...

    def new_cache(self, batch_size: int, capacity: int) -> CacheT:
        """An empty cache with room for `capacity` tokens a row."""
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


class TreeModel(DecoderModel[TreeCacheT], Protocol[TreeCacheT]):
    """A model that can be told what each token sees, so that one row of a cache holds a tree of them; see `tree`."""

    def forward(
        self,
        input_ids: npt.NDArray[np.int64],
        cache: TreeCacheT,
        *,
        position_ids: npt.NDArray[np.int64] | None = None,
        attention_bias: npt.NDArray[np.float32] | None = None,
        logits_indices: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.float32]:
        """The same, with positions [batch, sequence] and a bias [1, 1, sequence, total] on what attention scores."""
        ...


@dataclass(frozen=True)
class Selection:
    """The likeliest tokens of each row, chosen where the logits are.

    Attributes:
        ids: int64 [rows, selected], the likeliest first.
        log_probabilities: float32 [rows, selected], theirs among all tokens, in nats.
        all_logits: brings all logits [rows, vocab], for what the selection does not decide.
    """

    ids: npt.NDArray[np.int64]
    log_probabilities: npt.NDArray[np.float32]
    all_logits: Callable[[], npt.NDArray[np.float32]]

    def __getitem__(self, rows: slice) -> "Selection":
        """That of some rows."""
        return Selection(self.ids[rows], self.log_probabilities[rows], lambda: self.all_logits()[rows])


@runtime_checkable
class SelectingModel(DecoderModel[CacheT], Protocol[CacheT]):
    """A model on a device from which a few tokens are brought more cheaply than all logits."""

    @property
    def most_selected(self) -> int:
        """Tokens that a selection can have."""
        ...

    def forward_selected(self, input_ids: npt.NDArray[np.int64], cache: CacheT, count: int) -> Selection:
        """Appends a token to each row, int64 [batch, 1], and returns what may follow.

        A selection of one token is the first of equal ones. Of more there may be any, in any order among equals, and
        more than `count`.
        """
        ...


@runtime_checkable
class BatchModel(SelectingModel[CacheT], Protocol[CacheT]):
    """A model on a device that computes several rows in the time of one."""

    def forward_prompts(
        self, prompts: Sequence[Sequence[int]], cache: CacheT, count: int, check: Callable[[], None]
    ) -> Selection:
        """Reads a prompt into each row of an empty cache and returns what may follow, as `forward_selected` does.

        Calls `check` before each pass, which may raise to end it.
        """
        ...

    def forward_chain(self, token_ids: Sequence[int], cache: CacheT) -> Selection:
        """Appends several tokens to the only row and returns the likeliest token after each, [tokens, 1]."""
        ...

    def log_probabilities(
        self, sequences: Sequence[Sequence[int]], asked: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """How likely tokens are in given sequences, in nats.

        Args:
            sequences: token ids, each read from its beginning.
            asked: [asked, 3]: a sequence's number, a place in it, and the token that may follow there.

        Returns:
            [asked].
        """
        ...

    def with_rows(self, cache: CacheT, rows: Sequence[int]) -> CacheT:
        """A cache of these rows in this order, each any number of times; the old one must not be used again."""
        ...


SearchModel = TreeModel[Any] | BatchModel[Any]
"""What can make every search: its beams, drafts and choices grow in a tree, or each in a row of its own."""
