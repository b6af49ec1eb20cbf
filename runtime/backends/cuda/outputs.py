"""What a pass says of the tokens that were asked for, kept in a device's memory."""

from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.backends.cuda.graphs import SCORE, SELECT, open_graph
from biogpt_onnx.runtime.backends.cuda.token_lookup import TokenLookup
from biogpt_onnx.runtime.backends.cuda.top_tokens import TopTokens

_Rows = npt.NDArray[np.int64]


class OutputTools:
    """What all outputs on a device have in common.

    Attributes:
        onnxruntime: ONNX Runtime.
        device: the memory's name.
        vocab_size: entries of a row of logits.
        selector: a session that selects tokens; see `TopTokens`.
        scorer: looks tokens up.
    """

    def __init__(self, onnxruntime: ModuleType, provider: str, device: str, vocab_size: int) -> None:
        self.onnxruntime, self.device, self.vocab_size = onnxruntime, device, vocab_size
        self.selector = open_graph(onnxruntime, SELECT, provider)
        self.scorer = TokenLookup(onnxruntime, open_graph(onnxruntime, SCORE, provider))


class DeviceOutputs:
    """Logits and the likeliest token, for so many tokens, each of which has a row.

    What is brought from here to the CPU is memory of its own.

    Args:
        tools: what it needs.
        count: how many tokens.
    """

    def __init__(self, tools: OutputTools, count: int) -> None:
        new, device = tools.onnxruntime.OrtValue.ortvalue_from_shape_and_type, tools.device
        self._tools = tools
        self._logits = new([count, tools.vocab_size], np.float32, device, 0)
        self._best_ids = new([count, 1], np.int64, device, 0)
        self._best_log_probabilities = new([count, 1], np.float32, device, 0)
        self._selector: TopTokens | None = None
        self._selected: tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]] | None = None

    def bind(self, binding: Any) -> None:  # noqa: ANN401 -- ONNX Runtime has no types
        """Has a run of the causal graph write here."""
        binding.bind_ortvalue_output(bundle.LOGITS, self._logits)
        binding.bind_ortvalue_output(bundle.BEST_IDS, self._best_ids)
        binding.bind_ortvalue_output(bundle.BEST_LOG_PROBABILITIES, self._best_log_probabilities)

    def renew(self) -> None:
        """Forgets what was found in what was here before a new run."""
        self._selected = None

    def bring_logits(self, rows: _Rows) -> npt.NDArray[np.float32]:
        """The logits of these rows, [rows, vocab]."""
        return np.asarray(self._logits.numpy()[rows], dtype=np.float32)

    def bring_best(self, rows: _Rows) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """The likeliest token of these rows and its log-probability in nats, both [rows, 1]."""
        return self._best_ids.numpy()[rows], self._best_log_probabilities.numpy()[rows]

    def bring_selected(self, rows: _Rows) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """The likeliest tokens of these rows and their log-probabilities in nats, both [rows, `SELECTED`]."""
        if self._selected is None:
            tools = self._tools
            self._selector = self._selector or TopTokens(tools.onnxruntime, tools.selector, self._logits, tools.device)
            self._selected = self._selector.select()
        ids, log_probabilities = self._selected
        return ids[rows], log_probabilities[rows]

    def score(self, rows: _Rows, tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """The log-probabilities of tokens [asked] in these rows [asked], in nats."""
        return self._tools.scorer.score(self._logits, rows, tokens)
