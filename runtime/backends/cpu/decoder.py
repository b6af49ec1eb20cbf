"""The protocols of the CPU backend's model: passes in which each token may attend to a part of the cache."""

from typing import Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.protocol import Cache, Decoder


class TreeCache(Cache, Protocol):
    """A cache from whose middle tokens can be removed."""

    def keep_tokens(self, slots: npt.NDArray[np.int64]) -> None:
        """Keeps these tokens (ascending) of the only row, moved together."""
        ...

    def front(self, count: int) -> Self:
        """Returns the first rows as a cache of its own, over the same memory."""
        ...

    def some_rows(self, first: int, count: int) -> Self:
        """Returns rows side by side as a cache of its own, over the same memory."""
        ...

    def move(self, source: int, target: int) -> None:
        """Replaces the tokens of the row `target` by those of the row `source`."""
        ...

    def end_reading(self) -> None:
        """Gives back memory that is needed only while text is read: from now on, rows are only stepped."""
        ...


TreeCacheT = TypeVar("TreeCacheT", bound=TreeCache)


class TreeDecoder(Decoder[TreeCacheT], Protocol[TreeCacheT]):
    """A model that takes an attention bias, so that one row of a cache can hold a tree of tokens; see `TokenTree`."""

    @property
    def is_ragged(self) -> bool:
        """True if, in one pass, several rows may get several tokens each, and rows may be padded."""
        ...

    def forward(  # noqa: PLR0913 -- the inputs of a pass
        self,
        input_ids: npt.NDArray[np.int64],
        cache: TreeCacheT,
        *,
        position_ids: npt.NDArray[np.int64] | None = None,
        attention_bias: npt.NDArray[np.float32] | None = None,
        logits_indices: npt.NDArray[np.int64] | None = None,
        num_tokens: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Appends int64 [batch, sequence] and returns logits [num_logits, vocab], by default of each row's last.

        Args:
            input_ids: token ids, [batch, sequence].
            cache: cache of `batch` rows.
            position_ids: positions of the tokens, [batch, sequence]; by default they go on from the cache's lengths.
            attention_bias: numbers that are added to the attention scores, [batch or 1, 1, sequence, total]; by default
                none.
            logits_indices: rows of the flattened batch * sequence whose logits are requested, [num_logits].
            num_tokens: tokens of each row, which come before its padding, [batch]; by default no row is padded. Only a
                ragged model takes padding.
        """
        ...

    def forward_steps(
        self,
        input_ids: npt.NDArray[np.int64],
        cache: TreeCacheT,
        *,
        logits_indices: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Appends tokens that continue what was read, int64 [batch, sequence]; returns what `forward` returns.

        A model with a quantized cache computes them over that cache, and reads text over another.
        """
        ...

    def hidden_states(
        self, input_ids: npt.NDArray[np.int64], cache: TreeCacheT, indices: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """Appends int64 [batch, sequence] and returns hidden states [num_states, hidden] behind the last norm.

        Args:
            input_ids: token ids, [batch, sequence].
            cache: cache of `batch` rows.
            indices: rows of the flattened batch * sequence whose hidden states are requested, [num_states].
        """
        ...
