"""A prompt to be continued, and what a search made of it."""

from dataclasses import dataclass

from biogpt_onnx.runtime.decoding.state import SequenceState


@dataclass(frozen=True)
class StepStatistics:
    """Passes of the model that a search took after the first token.

    Attributes:
        steps: all of them.
        captured_steps: those that were replayed from a CUDA graph.
    """

    steps: int = 0
    captured_steps: int = 0

    def after(self, *, is_captured: bool) -> "StepStatistics":
        """Returns the statistics after one more pass."""
        return StepStatistics(self.steps + 1, self.captured_steps + is_captured)


@dataclass
class Request:
    """A prompt to be continued, and what came of it.

    Attributes:
        states: the sequences to continue: one, or as many as samples are requested. With beams, replaced by those that
            were found.
        prefill: seconds until the first token.
        decode: seconds after it.
        steps: passes of the model after the first token.
        captured_steps: those of them that were replayed from a CUDA graph; known when the search has ended.
    """

    states: list[SequenceState]
    prefill: float = 0.0
    decode: float = 0.0
    steps: int = 0
    captured_steps: int = 0
