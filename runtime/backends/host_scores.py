"""Next-token scores in the host's memory."""

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.finite_scores import refuse_not_finite
from biogpt_onnx.runtime.decoding.selection.sampler import log_sum_exp


class HostTokenScores:
    """Next-token scores in the host's memory, where a part is not cheaper to read than all; see `TokenScores`.

    Attributes:
        is_captured: False, because nothing is captured on the host.
        prefers_parts: False, because all logits are at hand.

    Args:
        logits: float32 [rows, vocab]; they may be changed when tokens are selected.
    """

    is_captured = False
    prefers_parts = False

    def __init__(self, logits: npt.NDArray[np.float32]) -> None:
        """Checks the logits.

        Raises:
            BundleError: a logit is NaN or infinite.
        """
        refuse_not_finite(logits)
        self._logits = logits

    @property
    def vocab_size(self) -> int:
        """Number of entries of a row of logits."""
        return int(self._logits.shape[1])

    def top_tokens(self, count: int) -> None:
        """Returns None, because tokens are selected from all logits here."""
        del count

    def log_probabilities(self, rows: npt.NDArray[np.int64], tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Returns the log-probabilities of single tokens [requested] in these rows [requested], in nats."""
        normalizers = log_sum_exp(self._logits)
        return np.asarray(self._logits[rows, tokens] - normalizers[rows], dtype=np.float32)

    def logits(self) -> npt.NDArray[np.float32]:
        """Returns the logits themselves, [rows, vocab]."""
        return self._logits

    def __getitem__(self, rows: slice) -> "HostTokenScores":
        """Returns the scores of some of the rows, over the same memory."""
        return HostTokenScores(self._logits[rows])
