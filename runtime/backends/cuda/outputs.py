"""Outputs of passes in a device's memory, and the next-token scores that are read from them."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.backends.cuda.graphs import SCORE, SELECT, SELECTED, open_graph
from biogpt_onnx.runtime.backends.cuda.memory import device_memory
from biogpt_onnx.runtime.backends.finite_scores import refuse_nan, refuse_not_finite
from biogpt_onnx.runtime.ort.protocols import InferenceSession, IoBinding, OnnxRuntime, OrtValue

_Ids = npt.NDArray[np.int64]
_TopTokens = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]


class OutputGraphs:
    """The small graphs that read a device's logits, shared by all outputs on the device.

    Attributes:
        onnxruntime: the module `onnxruntime`.
        device: name of the device's memory.
        vocab_size: number of entries of a row of logits.
        select: session of the graph `SELECT`.
        score: session of the graph `SCORE`.
    """

    def __init__(self, onnxruntime: OnnxRuntime, provider: str, device: str, vocab_size: int) -> None:
        self.onnxruntime, self.device, self.vocab_size = onnxruntime, device, vocab_size
        self.select = open_graph(onnxruntime, SELECT, provider)
        self.score = open_graph(onnxruntime, SCORE, provider)


class PassOutputs:
    """Outputs of a pass: the logits and the most likely token after several of its tokens, a row each.

    All values that are read from here are copied to the host.

    Args:
        graphs: graphs that read the logits.
        count: number of rows.
    """

    def __init__(self, graphs: OutputGraphs, count: int) -> None:
        new, device = graphs.onnxruntime.OrtValue.ortvalue_from_shape_and_type, graphs.device
        self._graphs = graphs
        self._logits = new([count, graphs.vocab_size], np.float32, device, 0)
        self._best_ids = new([count, 1], np.int64, device, 0)
        self._best_log_probabilities = new([count, 1], np.float32, device, 0)
        self._selection: TopTokenSelection | None = None
        self._top_tokens: _TopTokens | None = None

    def bind(self, binding: IoBinding) -> None:
        """Binds the outputs of the causal graph, so that a run writes here."""
        binding.bind_ortvalue_output(bundle.LOGITS, self._logits)
        binding.bind_ortvalue_output(bundle.BEST_IDS, self._best_ids)
        binding.bind_ortvalue_output(bundle.BEST_LOG_PROBABILITIES, self._best_log_probabilities)

    def renew(self) -> None:
        """Discards the tokens that were selected from the outputs of an earlier run."""
        self._top_tokens = None

    def read_logits(self, rows: _Ids) -> npt.NDArray[np.float32]:
        """Returns the logits of these rows, [rows, vocab]."""
        return np.asarray(self._logits.numpy()[rows], dtype=np.float32)

    def read_best(self, rows: _Ids) -> _TopTokens:
        """Returns the most likely token of these rows and its log-probability in nats, both [rows, 1]."""
        return self._best_ids.numpy()[rows], self._best_log_probabilities.numpy()[rows]

    def read_top_tokens(self, rows: _Ids) -> _TopTokens:
        """Returns the most likely tokens of these rows and their log-probabilities in nats, both [rows, `SELECTED`]."""
        if self._top_tokens is None:
            self._selection = self._selection or TopTokenSelection(self._graphs, self._logits)
            self._top_tokens = self._selection.run()
        ids, log_probabilities = self._top_tokens
        return ids[rows], log_probabilities[rows]

    def read_log_probabilities(self, rows: _Ids, tokens: _Ids) -> npt.NDArray[np.float32]:
        """Returns the log-probabilities of tokens [requested] in these rows [requested], in nats."""
        return look_up(self._graphs.onnxruntime, self._graphs.score, self._logits, rows, tokens)


class TopTokenSelection:
    """The selection of the most likely tokens from logits at a fixed address.

    Args:
        graphs: graphs with the session of `SELECT`.
        logits: float32 [rows, vocab] in the device's memory.
    """

    def __init__(self, graphs: OutputGraphs, logits: OrtValue) -> None:
        new, shape = graphs.onnxruntime.OrtValue.ortvalue_from_shape_and_type, [logits.shape()[0], SELECTED]
        self._session, self._binding = graphs.select, graphs.select.io_binding()
        self._ids = new(shape, np.int64, graphs.device, 0)
        self._log_probabilities = new(shape, np.float32, graphs.device, 0)
        self._binding.bind_ortvalue_input("logits", logits)
        self._binding.bind_ortvalue_output("ids", self._ids)
        self._binding.bind_ortvalue_output("log_probabilities", self._log_probabilities)

    def run(self) -> _TopTokens:
        """Returns the ids, most likely first, and their log-probabilities in nats, both [rows, `SELECTED`].

        If the device is the CPU, they are valid until the next call.
        """
        self._session.run_with_iobinding(self._binding)
        return self._ids.numpy(), self._log_probabilities.numpy()


def look_up(
    onnxruntime: OnnxRuntime, session: InferenceSession, logits: OrtValue, rows: _Ids, tokens: _Ids
) -> npt.NDArray[np.float32]:
    """Returns the log-probabilities of single tokens, computed on the device of the logits; [requested], in nats.

    Args:
        onnxruntime: the module `onnxruntime`.
        session: session of the graph `SCORE`.
        logits: float32 [rows, vocab] in the device's memory.
        rows: row in which each token is looked up, [requested].
        tokens: tokens to look up, [requested].
    """
    ort_value = onnxruntime.OrtValue
    scores = np.empty(len(rows), dtype=np.float32)
    binding = session.io_binding()
    binding.bind_ortvalue_input("logits", logits)
    for name, values in (("rows", rows), ("places", np.stack([rows, tokens], axis=1))):
        binding.bind_ortvalue_input(name, ort_value.ortvalue_from_numpy(values))
    binding.bind_ortvalue_output("log_probabilities", ort_value.ortvalue_from_numpy(scores))
    session.run_with_iobinding(binding)
    return scores


OutputRow = tuple[PassOutputs, int]
"""A row of a pass's outputs, by its index there."""


class DeviceTokenScores:
    """Next-token scores on a device, whose rows may lie in the outputs of several passes; see `TokenScores`.

    Attributes:
        vocab_size: number of entries of a row of logits.
        prefers_parts: True, because logits are slow to copy to the host.
        is_captured: True if the pass was replayed from a CUDA graph.
        rows: outputs, and the row in them, of each row of scores.

    Args:
        rows: outputs, and the row in them, of each row of scores.
        vocab_size: number of entries of a row of logits.
        device_lock: lock that is held while the device works; see `DeviceSession`.
        is_captured: True if the pass was replayed from a CUDA graph.
    """

    prefers_parts = True

    def __init__(
        self,
        rows: Sequence[OutputRow],
        vocab_size: int,
        device_lock: AbstractContextManager[object],
        *,
        is_captured: bool = False,
    ) -> None:
        self.rows, self.vocab_size, self.is_captured = rows, vocab_size, is_captured
        self._lock = device_lock

    def top_tokens(self, count: int) -> _TopTokens | None:
        """Returns the most likely tokens and their log-probabilities; None for more than `SELECTED` of them.

        Raises:
            BundleError: scores are NaN.
            DeviceMemoryError: the device's memory is full.
        """
        if count > SELECTED:
            return None
        shape = (len(self.rows), 1 if count == 1 else SELECTED)
        ids, log_probabilities = np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.float32)
        with self._lock, device_memory("a selection of tokens"):
            for outputs, here, there in self._by_outputs():
                read = outputs.read_best if count == 1 else outputs.read_top_tokens
                ids[here], log_probabilities[here] = read(there)
        refuse_nan(log_probabilities)
        return ids, log_probabilities

    def log_probabilities(self, rows: _Ids, tokens: _Ids) -> npt.NDArray[np.float32]:
        """Returns the log-probabilities of single tokens [requested] in these rows [requested], in nats.

        Raises:
            BundleError: scores are NaN.
            DeviceMemoryError: the device's memory is full.
        """
        scores = np.empty(len(rows), dtype=np.float32)
        with self._lock, device_memory("a look-up of tokens"):
            for outputs, here, there in self._by_outputs():
                output_rows = np.full(len(self.rows), -1)
                output_rows[here] = there
                requested = output_rows[rows] >= 0
                if requested.any():
                    found = outputs.read_log_probabilities(output_rows[rows[requested]], tokens[requested])
                    scores[requested] = found
        refuse_nan(scores)
        return scores

    def logits(self) -> npt.NDArray[np.float32]:
        """Returns all logits, [rows, vocab].

        Raises:
            BundleError: a logit is NaN or infinite.
        """
        logits = np.empty((len(self.rows), self.vocab_size), dtype=np.float32)
        with self._lock:
            for outputs, here, there in self._by_outputs():
                logits[here] = outputs.read_logits(there)
        refuse_not_finite(logits)
        return logits

    def __getitem__(self, rows: slice) -> "DeviceTokenScores":
        """Returns the scores of some of the rows."""
        return DeviceTokenScores(self.rows[rows], self.vocab_size, self._lock, is_captured=self.is_captured)

    def _by_outputs(self) -> Iterator[tuple[PassOutputs, _Ids, _Ids]]:
        """Yields the outputs of each pass, the numbers of the rows that lie there, and their rows in the outputs."""
        for outputs in dict.fromkeys(outputs for outputs, _ in self.rows):
            found = [(here, row) for here, (other, row) in enumerate(self.rows) if other is outputs]
            here, there = np.array(found, dtype=np.int64).T
            yield outputs, here, there
