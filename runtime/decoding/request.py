"""Requests: prompts to be continued, with the results of their search."""

from dataclasses import dataclass

from biogpt_onnx.runtime.decoding.state import SequenceState


@dataclass(frozen=True)
class StepStatistics:
    """Counts of the passes of the model that a search took after the first token.

    Attributes:
        steps: number of all passes.
        captured_steps: number of passes that were replayed from a CUDA graph.
    """

    steps: int = 0
    captured_steps: int = 0

    def after(self, *, is_captured: bool) -> "StepStatistics":
        """Returns the statistics after one more pass."""
        return StepStatistics(self.steps + 1, self.captured_steps + is_captured)


@dataclass
class Request:
    """A prompt to be continued, and the results of its search.

    Attributes:
        states: sequences to continue: one, or as many as samples are requested. With beams, replaced by the sequences
            that were found.
        prefill: seconds until the first token.
        decode: seconds after the first token.
        steps: number of passes of the model after the first token.
        captured_steps: number of steps that were replayed from a CUDA graph; known when the search has ended.
        has_ended: True once its search is over and its results stay as they are.
        dropped_tokens: number of the prompt's tokens that were left out because it is too long.
        queue: seconds that it waited before it was begun.
    """

    states: list[SequenceState]
    prefill: float = 0.0
    decode: float = 0.0
    steps: int = 0
    captured_steps: int = 0
    has_ended: bool = False
    dropped_tokens: int = 0
    queue: float = 0.0
