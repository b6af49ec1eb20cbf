"""The protocols of the CUDA backend's model: passes over rows in a device's memory."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.protocol import CacheT, Decoder, TokenScores


class RowDecoder(Decoder[CacheT], Protocol[CacheT]):
    """A model on a device, which computes several rows in the time of one, and from which logits are slow to copy."""

    def step(self, input_ids: npt.NDArray[np.int64], cache: CacheT) -> TokenScores:
        """Appends a token to each row, int64 [batch, 1], and returns the scores after it."""
        ...

    def forward_prompts(
        self, prompts: Sequence[Sequence[int]], cache: CacheT, check: Callable[[], None]
    ) -> TokenScores:
        """Reads a prompt into each row of an empty cache, and returns the scores after each prompt.

        Calls `check` before each pass, which may raise an error to end the reading.
        """
        ...

    def forward_row(self, token_ids: Sequence[int], cache: CacheT, *, last_only: bool = False) -> TokenScores:
        """Appends several tokens to the only row, and returns scores with a row for each of them, or only the last."""
        ...

    def log_probabilities(
        self, sequences: Sequence[Sequence[int]], requested: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """Returns the log-probabilities of tokens in given sequences, in nats, [requested].

        Args:
            sequences: token ids of each sequence, which is read from its beginning.
            requested: number of a sequence, a position in it, and a token that may follow there, [requested, 3].
        """
        ...

    def with_rows(self, cache: CacheT, rows: Sequence[int]) -> CacheT:
        """Returns a cache of these rows in this order, each any number of times; the old one must not be used again."""
        ...
