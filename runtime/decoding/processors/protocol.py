"""The protocol of decoding rules."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.state import SequenceState

# The largest magnitude of a setting. No logit comes near it, and three such settings at once (a bias, a penalty, a
# temperature) still fit in float32, whose overflow would turn a setting that means "never" or "always" into NaN.
LARGEST = 1e12


class LogitsProcessor(Protocol):
    """A decoding rule, which changes the scores of the next token."""

    @property
    def needs_all_logits(self) -> bool:
        """True if the rule needs a row of logits of the whole vocabulary.

        False if it gives an equal result on a row of only some tokens, provided that these include all that may be
        kept: a device then need not copy all logits to the host.
        """
        ...

    def __call__(self, states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """Changes logits [rows, vocab], or with beams log-probabilities, in place.

        The sequences may differ in length. A row may hold -inf, even everywhere; afterwards it must hold neither NaN
        nor +inf.

        Args:
            states: sequences so far, one for each row.
            logits: scores of each token by the model and the rules before this one.
        """
        ...
