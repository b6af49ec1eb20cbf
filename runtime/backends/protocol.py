"""What a search needs of a model: small enough that a test writes one in ten lines."""

from collections.abc import Callable, Sequence
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


class TokenScores(Protocol):
    """What may follow each row, computed on a device, from where no more is brought than is asked for.

    It holds until tokens are appended to the rows.
    """

    @property
    def vocab_size(self) -> int:
        """Entries of a row of logits."""
        ...

    @property
    def max_selected(self) -> int:
        """How many of the likeliest tokens can be selected there."""
        ...

    def likeliest(self, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """The ids of the likeliest tokens and their log-probabilities in nats, both [rows, `count` or more].

        A single one is the first of equal ones. Of more there may be any, in any order among equals.
        """
        ...

    def log_probabilities(self, rows: npt.NDArray[np.int64], tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Those of single tokens [asked] in these rows [asked], in nats."""
        ...

    def logits(self) -> npt.NDArray[np.float32]:
        """All of them, [rows, vocab], to be changed at will."""
        ...

    def __getitem__(self, rows: slice) -> Self:
        """The same of some rows."""
        ...


Scores = TokenScores | npt.NDArray[np.float32]
"""What may follow each row: on a device, or as logits [rows, vocab]."""


@runtime_checkable
class DeviceModel(DecoderModel[CacheT], Protocol[CacheT]):
    """A model on a device, which computes several rows in the time of one, and from where logits are dear."""

    def step(self, input_ids: npt.NDArray[np.int64], cache: CacheT) -> TokenScores:
        """Appends a token to each row, int64 [batch, 1]."""
        ...

    def forward_prompts(
        self, prompts: Sequence[Sequence[int]], cache: CacheT, check: Callable[[], None]
    ) -> TokenScores:
        """Reads a prompt into each row of an empty cache.

        Calls `check` before each pass, which may raise to end it.
        """
        ...

    def forward_chain(self, token_ids: Sequence[int], cache: CacheT) -> TokenScores:
        """Appends several tokens to the only row; what may follow each of them counts as a row."""
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


SearchModel = TreeModel[Any] | DeviceModel[Any]
"""What can make every search: its beams, drafts and choices grow in a tree, or each in a row of its own."""
