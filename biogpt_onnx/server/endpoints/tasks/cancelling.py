"""A model for tasks, which know of no clients: all that it computes ends when an event is set."""

import threading
from typing import Any, cast

from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import CancelledError

_COMPUTING = frozenset({"generate", "generate_ids", "choose", "choose_ids"})


def cancelled_by(model: BioGPT, cancel: threading.Event) -> BioGPT:
    """Returns a model that does the same, but whose calls end in a `CancelledError` when an event is set.

    A generation that was cut off by the event would look like a result to a task.

    Args:
        model: the model.
        cancel: the event.
    """
    return cast("BioGPT", _Cancelled(model, cancel))


class _Cancelled:
    def __init__(self, model: BioGPT, cancel: threading.Event) -> None:
        self._model, self._cancel = model, cancel

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever the model has
        found = getattr(self._model, name)
        if name not in _COMPUTING:
            return found

        def computing(*arguments: object, **settings: object) -> object:
            self._check()
            results = found(*arguments, cancel=self._cancel, **settings)
            self._check()
            return results

        return computing

    def _check(self) -> None:
        if self._cancel.is_set():
            raise CancelledError("cancelled before its end")
