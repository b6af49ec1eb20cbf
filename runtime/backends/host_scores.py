"""Next-token scores in the host's memory."""

import numpy as np
import numpy.typing as npt


class HostTokenScores:
    """Next-token scores in the host's memory, where a part is not cheaper to read than all; see `TokenScores`.

    Attributes:
        is_captured: False, because nothing is captured on the host.

    Args:
        logits: float32 [rows, vocab]; they may be changed when tokens are selected.
    """

    is_captured = False

    def __init__(self, logits: npt.NDArray[np.float32]) -> None:
        self._logits = logits

    @property
    def vocab_size(self) -> int:
        """Number of entries of a row of logits."""
        return int(self._logits.shape[1])

    def top_tokens(self, count: int) -> None:
        """Returns None, because all logits are in the host's memory."""
        del count

    def log_probabilities(self, rows: npt.NDArray[np.int64], tokens: npt.NDArray[np.int64]) -> None:
        """Returns None, because all logits are in the host's memory."""
        del rows, tokens

    def logits(self) -> npt.NDArray[np.float32]:
        """Returns the logits themselves, [rows, vocab]."""
        return self._logits

    def __getitem__(self, rows: slice) -> "HostTokenScores":
        """Returns the scores of some of the rows, over the same memory."""
        return HostTokenScores(self._logits[rows])
