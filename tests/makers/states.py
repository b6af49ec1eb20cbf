"""Sequences in the midst of being generated."""

from collections.abc import Sequence

from biogpt_onnx.runtime.decoding.state import SequenceState


def sequence_state(prompt_ids: Sequence[int], new: Sequence[int] = (), max_new_tokens: int = 8) -> SequenceState:
    """A sequence that has these new tokens after its prompt."""
    state = SequenceState(tuple(prompt_ids), max_new_tokens)
    for token in new:
        state.append(token, -1.0)
    return state
