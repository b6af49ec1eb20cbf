"""The protocol of a decoding rule."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.state import SequenceState

# No logit comes near it, and three such settings at once (a bias, a penalty, a temperature) still fit in float32, whose
# overflow would make NaN of a setting that means "never" or "always".
LARGEST = 1e12


class LogitsProcessor(Protocol):
    """A rule about the next token."""

    @property
    def needs_all_logits(self) -> bool:
        """True if the rule needs a row of logits of the whole vocabulary.

        False if it gives the same result on a row of only some tokens, as long as these are all that may be kept: a
        device then need not copy all logits to the host.
        """
        ...

    def __call__(self, states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """Changes logits [rows, vocab], or with beams log-probabilities, in place.

        Rows are told apart by their own ids, of whatever length. A row may hold -inf, even everywhere; it is left
        without NaN and without +inf.

        Args:
            states: the sequences so far, one for each row.
            logits: what the model, and the rules before this one, think of each token.
        """
        ...
