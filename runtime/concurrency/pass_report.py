"""Reports of single passes, for those who watch a model that serves many."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from biogpt_onnx.runtime.result_base import Result

PassKind = Literal["read", "step", "search"]


@dataclass(frozen=True, repr=False)
class PassReport(Result):
    """A pass of a model whose passes are shared.

    Attributes:
        kind: "read" for a piece of a prompt that greedy search or sampling continues, "step" for a step of the running
            sequences, "search" for a pass of beams, drafts, choices, scores and all else that takes passes of its own,
            those included that read its text.
        tokens: number of tokens that were read, or of the sequences that got one; 0 for "search", whose tokens are not
            counted.
        seconds: time that the pass took, with the choice of the tokens after it.
    """

    kind: PassKind
    tokens: int
    seconds: float


OnPass = Callable[[PassReport], object]
"""A function that is called after each pass."""
