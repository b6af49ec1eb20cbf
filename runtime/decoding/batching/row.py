"""Rows of a running batch."""

from dataclasses import dataclass

from biogpt_onnx.runtime.backends.protocol import TokenScores
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.selection.token_selection import NextTokenSelector
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.memory.shortage import as_limit


@dataclass(eq=False)
class Row:
    """A sequence in a running batch, with rules, limits and a random generator of its own.

    Attributes:
        state: the sequence; its tokens, score and reason to end are filled in.
        selector: selects the next token.
        limits: limits; when one is reached, the sequence ends as it is.
        error: what ended the row instead of a token, such as rules that exclude every one; None if nothing did.
    """

    state: SequenceState
    selector: NextTokenSelector
    limits: Limits
    error: Exception | None = None

    @property
    def is_finished(self) -> bool:
        """True if the row gets no more tokens."""
        return self.error is not None or self.state.finish_reason is not None

    def check_limits(self) -> None:
        """Ends the row if a limit has been reached."""
        if not self.is_finished and (reason := self.limits.reached()):
            self.state.finish_reason = reason

    def append(self, scores: TokenScores) -> None:
        """Appends the next token; an error in that ends this row alone.

        Args:
            scores: next-token scores of this row.
        """
        try:
            self.selector.append([self.state], scores)
        except Exception as error:  # noqa: BLE001 -- rules may be the caller's own functions
            self.error = as_limit(error)
