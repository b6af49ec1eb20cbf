"""What may follow each row of a batch, in a device's memory; what the searches know as `TokenScores`."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.cuda.graphs import SELECTED
from biogpt_onnx.runtime.backends.cuda.memory import device_memory
from biogpt_onnx.runtime.backends.cuda.outputs import DeviceOutputs

Place = tuple[DeviceOutputs, int]
"""The row of a pass's outputs."""


class DeviceTokenScores:
    """Rows that may lie in the outputs of several passes.

    Attributes:
        vocab_size: entries of a row of logits.
        max_selected: how many of the likeliest tokens can be selected.
        places: where each row lies.

    Args:
        places: as above.
        vocab_size: as above.
        device_lock: held while the device works; see `DeviceSession`.
    """

    max_selected = SELECTED

    def __init__(self, places: Sequence[Place], vocab_size: int, device_lock: AbstractContextManager[object]) -> None:
        self.vocab_size = vocab_size
        self.places, self._lock = places, device_lock

    def likeliest(self, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """The ids of the likeliest tokens and their log-probabilities, [rows, `count` or more]; see `TokenScores`.

        Raises:
            DeviceMemoryError: the device's memory is full.
        """
        shape = (len(self.places), 1 if count == 1 else SELECTED)
        ids, log_probabilities = np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.float32)
        with self._lock, device_memory("a selection of tokens"):
            for outputs, here, rows in self._by_outputs():
                bring = outputs.bring_best if count == 1 else outputs.bring_selected
                ids[here], log_probabilities[here] = bring(rows)
        return ids, log_probabilities

    def log_probabilities(self, rows: npt.NDArray[np.int64], tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Those of single tokens [asked] in these rows [asked], in nats; see `TokenScores`.

        Raises:
            DeviceMemoryError: the device's memory is full.
        """
        scores = np.empty(len(rows), dtype=np.float32)
        with self._lock, device_memory("a look-up of tokens"):
            for outputs, here, theirs in self._by_outputs():
                place_of = np.full(len(self.places), -1)
                place_of[here] = theirs
                wanted = place_of[rows] >= 0
                if wanted.any():
                    scores[wanted] = outputs.score(place_of[rows[wanted]], tokens[wanted])
        return scores

    def logits(self) -> npt.NDArray[np.float32]:
        """All of them, [rows, vocab]; see `TokenScores`."""
        logits = np.empty((len(self.places), self.vocab_size), dtype=np.float32)
        with self._lock:
            for outputs, here, rows in self._by_outputs():
                logits[here] = outputs.bring_logits(rows)
        return logits

    def __getitem__(self, rows: slice) -> "DeviceTokenScores":
        """The same of some rows."""
        return DeviceTokenScores(self.places[rows], self.vocab_size, self._lock)

    def _by_outputs(self) -> Iterator[tuple[DeviceOutputs, npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Each pass's outputs, which of these rows lie there, and where."""
        for outputs in dict.fromkeys(outputs for outputs, _ in self.places):
            found = [(here, row) for here, (other, row) in enumerate(self.places) if other is outputs]
            here, rows = np.array(found, dtype=np.int64).T
            yield outputs, here, rows
