"""The model that users hold: all that can be done with a loaded bundle."""

# Annotations stay as they are written, so that help and editors show short signatures. What they name is imported all
# the same, for `typing.get_type_hints`.
from __future__ import annotations

from typing import TYPE_CHECKING

from biogpt_onnx.runtime.decoding import checks
from biogpt_onnx.runtime.engine.choosing import ChoosingModel
from biogpt_onnx.runtime.engine.classifying import ClassifyingModel
from biogpt_onnx.runtime.engine.embedding import EmbeddingModel
from biogpt_onnx.runtime.engine.generating import GeneratingModel
from biogpt_onnx.runtime.engine.scoring import ScoringModel
from biogpt_onnx.runtime.engine.streaming import StreamingModel
from biogpt_onnx.runtime.errors import ConfigError

if TYPE_CHECKING:
    from biogpt_onnx.runtime.concurrency.model import ConcurrentBioGPT
    from biogpt_onnx.runtime.concurrency.pass_report import OnPass


# In this order, documentation shows the methods from generation to embedding.
class BioGPT(EmbeddingModel, ClassifyingModel, ScoringModel, ChoosingModel, StreamingModel, GeneratingModel):
    """A loaded bundle, which generates, streams, chooses, scores, classifies and embeds text.

    Calls from several threads are safe. A bundle with a classification head classifies and embeds text; all else needs
    a language-model head, and is a `ConfigError`.

    Leaving a `with` block closes it.

    Attributes:
        tokenizer: tokenizer of the bundle.
        manifest: manifest of the bundle.
    """

    def concurrent(self, max_rows: int = 8, on_pass: OnPass | None = None) -> ConcurrentBioGPT:
        """Returns a model that does the same for callers in many threads, who share its passes.

        Sequences of all callers are continued in one batch, which they join and leave, so that together they take far
        less time than one after the other; a long prompt is read in pieces, between which the others go on. A result is
        to the last bit that of the call alone. Close it, or use it in a `with` block: the model itself stays open.

        Args:
            max_rows: most sequences that are continued at a time; further ones wait. Their key-value caches have room
                for all positions of the model, and take memory as they are filled.
            on_pass: function that is called with a `PassReport` after each pass of the model, in the thread that
                computes them all, which waits for it meanwhile. If it raises an exception, no request ends: the
                exception is handed to `threading.excepthook`, which prints it, and later passes are not reported.

        Raises:
            ConfigError: `max_rows` is no whole number of 1 or more, `on_pass` is no function, the device is no CPU, or
                the bundle has a classification head.
        """
        # The class is one of this one's.
        from biogpt_onnx.runtime.concurrency.model import ConcurrentBioGPT  # noqa: PLC0415 -- see above

        checks.whole_number(1)("max_rows", max_rows)
        if self.device != "cpu":
            raise ConfigError(f"passes are shared on the CPU only so far, the device is {self.device}: load with cpu")
        if on_pass is not None and not callable(on_pass):
            raise ConfigError(f"on_pass is of type {type(on_pass).__name__}: give a function that takes a PassReport")
        return ConcurrentBioGPT(self, max_rows, on_pass)
