"""Reports of single passes, for those who watch a model that serves many."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from biogpt_onnx.runtime.result_base import Result

PassKind = Literal["read", "step", "mixed", "search"]


@dataclass(frozen=True, repr=False)
class PassReport(Result):
    """A pass of a model whose passes are shared.

    Attributes:
        kind: "read" for a piece of a prompt that greedy search or sampling continues, "step" for a step of the running
            sequences, "mixed" for both at once, "search" for a pass of beams, drafts, choices, scores and all else that
            takes passes of its own, those included that read its text.
        read_tokens: number of a prompt's tokens that were read; 0 for "search", whose tokens are not counted.
        new_tokens: number of running sequences that got a token, those aside whose prompt this pass read to its end; 0
            for "search".
        seconds: time that the pass took, with the choice of the tokens after it.
    """

    kind: PassKind
    read_tokens: int
    new_tokens: int
    seconds: float


OnPass = Callable[[PassReport], object]
"""A function that is called after each pass."""
