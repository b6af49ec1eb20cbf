"""Drafts that are chains, read as a device reads a prompt, and checked where the logits are."""

from typing import Generic, TypeVar

from biogpt_onnx.runtime.backends.protocol import Cache, DeviceModel
from biogpt_onnx.runtime.decoding.drafting.lookup import Draft
from biogpt_onnx.runtime.decoding.selection.token_selection import NextTokenSelector
from biogpt_onnx.runtime.decoding.state import SequenceState

CacheT = TypeVar("CacheT", bound=Cache)


class LinearVerifier(Generic[CacheT]):
    """Takes the likeliest token of each pass, as exactly as the device rounds.

    In half precision a pass over several tokens rounds so much otherwise than one over a single token that to compute
    again what is close, as on a CPU, would be to compute again most of what was drafted. So where the two likeliest
    tokens are within that rounding, a draft may end in another token than greedy search.

    Attributes:
        branches: that a draft is no tree, because attention that takes a mask is slow on a device.

    Args:
        model: the model.
        cache: of one row, which has read the prompt.
        state: the sequence, with its first token.
        chooser: says which token comes next.
    """

    branches = False

    def __init__(
        self, model: DeviceModel[CacheT], cache: CacheT, state: SequenceState, chooser: NextTokenSelector
    ) -> None:
        self._model = model
        self._cache = cache
        self._state = state
        self._chooser = chooser

    def step(self) -> None:
        """Reads the last token and takes the next one."""
        self._chooser.append([self._state], self._model.step(self._state.ids[None, -1:], self._cache))

    def read(self, draft: Draft) -> int:
        """Reads the last token and a draft, and takes what follows; returns how many drafted tokens were right."""
        start = int(self._cache.lengths[0])
        following = self._model.forward_chain([int(self._state.ids[-1]), *draft.token_ids], self._cache)
        accepted = 0
        for drafted in (*draft.token_ids, None):
            self._chooser.append([self._state], following[accepted : accepted + 1])
            if int(self._state.ids[-1]) != drafted or self._state.finish_reason is not None:
                break
            accepted += 1
        self._cache.truncate(start + 1 + accepted)
        return accepted
