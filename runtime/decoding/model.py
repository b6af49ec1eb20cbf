"""What a search needs of a model: small enough that a test writes one in ten lines."""

from collections.abc import Sequence
from typing import Protocol, Self, TypeVar

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

    def keep_tokens(self, slots: npt.NDArray[np.int64]) -> None:
        """Keeps these tokens (ascending) of the only row, moved together."""
        ...

    def copy_from(self, source: Self, length: int) -> None:
        """Makes the only row of this cache the first tokens of another's only row."""
        ...


CacheT = TypeVar("CacheT", bound=Cache)


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
        position_ids: npt.NDArray[np.int64] | None = None,
        attention_bias: npt.NDArray[np.float32] | None = None,
        logits_indices: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Appends int64 [batch, sequence] and returns logits [num_logits, vocab], by default of each row's last."""
        ...
