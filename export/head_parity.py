"""Parity of a classifier's bundle with transformers' class: labels' logits and hidden states."""

import importlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from biogpt_onnx.export.checkpoint.formats.huggingface_head import CLASSES
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.parity import compare_logits, random_batch
from biogpt_onnx.export.parity_report import ParityReport, Tolerance
from biogpt_onnx.export.reference import import_transformers, model_of
from biogpt_onnx.runtime.backends.protocol import Backend
from biogpt_onnx.runtime.bundle import ClassificationHead
from biogpt_onnx.runtime.classification.heads import label_logits
from biogpt_onnx.runtime.embedding import HiddenStateReader
from biogpt_onnx.runtime.errors import BundleError, CheckpointError

Values = npt.NDArray[np.float32]


class HeadReference(Protocol):
    """Reference model with a classification head."""

    @property
    def head(self) -> ClassificationHead:
        """Head of the checkpoint."""
        ...

    def label_logits(self, ids: Sequence[int]) -> Values:
        """Returns the logits of a sequence's labels, [rows, labels]; see `runtime.classification.heads`."""
        ...

    def padded_label_logits(self, batch: Sequence[Sequence[int]], pad_token_id: int) -> list[Values]:
        """Returns the logits of each sequence's labels, from one batch that is padded on the right."""
        ...

    def hidden_states(self, ids: Sequence[int]) -> Values:
        """Returns the hidden states behind the last normalization, [len(ids), hidden]."""
        ...


class TransformersClassifier:
    """transformers' `BioGptForSequenceClassification` or `BioGptForTokenClassification` in float32.

    Attributes:
        head: head of the checkpoint, as this package reads it.
    """

    def __init__(self, model: Any, head: ClassificationHead) -> None:  # noqa: ANN401 -- transformers' model
        self.head = head
        self._torch = importlib.import_module("torch")
        self._model = model.float().eval()
        self._per_token = head.kind == "token-classification"

    def label_logits(self, ids: Sequence[int]) -> Values:
        """Returns the logits of a sequence's labels, [rows, labels]."""
        with self._torch.no_grad():
            logits = self._model(self._torch.tensor([list(ids)])).logits
        return self._numpy(logits[0, 1:] if self._per_token else logits)

    def padded_label_logits(self, batch: Sequence[Sequence[int]], pad_token_id: int) -> list[Values]:
        """Returns the logits of each sequence's labels, from one batch that is padded on the right."""
        width = max(map(len, batch))
        ids = self._torch.tensor([[*row, *[pad_token_id] * (width - len(row))] for row in batch])
        mask = self._torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in batch])
        with self._torch.no_grad():
            logits = self._model(ids, attention_mask=mask).logits
        if self._per_token:
            return [self._numpy(logits[index, 1 : len(row)]) for index, row in enumerate(batch)]
        return [self._numpy(logits[index : index + 1]) for index in range(len(batch))]

    def hidden_states(self, ids: Sequence[int]) -> Values:
        """Returns the hidden states behind the last normalization, [len(ids), hidden]."""
        with self._torch.no_grad():
            return self._numpy(self._model.biogpt(self._torch.tensor([list(ids)])).last_hidden_state[0])

    @staticmethod
    def _numpy(tensor: Any) -> Values:  # noqa: ANN401 -- torch's tensor
        return np.asarray(tensor.numpy(), dtype=np.float32)


def open_head_reference(source: str, *, revision: str | None = None) -> TransformersClassifier:
    """Opens a classifier's checkpoint in transformers, a Hugging Face folder independently of this package's readers.

    Args:
        source: checkpoint in any form that `open_checkpoint` takes.
        revision: for a hub id, a branch, tag or commit.

    Raises:
        CheckpointError: the checkpoint cannot be opened, has no classification head, or transformers or torch is not
            installed.
    """
    transformers = import_transformers()
    checkpoint = open_checkpoint(source, revision=revision)
    head = checkpoint.head
    if head is None:
        raise CheckpointError(
            f"{source} has no classification head, the bundle has: name the checkpoint it is made from"
        )
    if (Path(source) / "config.json").is_file():
        kind = getattr(transformers, CLASSES[head.kind])
        return TransformersClassifier(kind.from_pretrained(source, local_files_only=True), head)
    return TransformersClassifier(model_of(transformers, checkpoint), head)


def compare_head_with(
    session: Backend[Any],
    head: ClassificationHead,
    reference: HeadReference,
    *,
    tolerance: Tolerance | None = None,
    longest: int = 96,
) -> ParityReport:
    """Compares a classifier's bundle with a reference.

    Args:
        session: session of the bundle.
        head: bundle's head.
        reference: reference model.
        tolerance: largest allowed difference of a logit or a hidden state; by default that of `Tolerance()`.
        longest: tokens of the longest sequence; fewer where the model has fewer positions.

    Raises:
        CheckpointError: the checkpoint's labels or their meaning are not those of the bundle.
        BundleError: the bundle's graph does not output hidden states.
    """
    tolerance = tolerance or Tolerance()
    if reference.head != head:
        raise CheckpointError(f"the checkpoint is of another model: its head is {reference.head}, the bundle's {head}")
    if not isinstance(session, HiddenStateReader):
        raise BundleError("the device does not compute hidden states: compare on the CPU")
    # Each has a token behind `</s>`, and so a label.
    batch = [ids for ids in random_batch(session, longest) if len(ids) > 1]
    ours = [label_logits(session, head, ids) for ids in batch]
    comparisons = [
        compare_logits("each text by itself", ours, [reference.label_logits(ids) for ids in batch], tolerance)
    ]
    if head.pad_token_id is not None:
        padded = reference.padded_label_logits(batch, head.pad_token_id)
        comparisons.append(compare_logits("right-padded batch", ours, padded, tolerance))
    states = [_joined(session.hidden_states(ids)) for ids in batch]
    theirs = [reference.hidden_states(ids) for ids in batch]
    comparisons.append(compare_logits("hidden states", states, theirs, tolerance))
    return ParityReport(tuple(comparisons), (), tolerance)


def _joined(parts: Iterable[Values]) -> Values:
    return np.concatenate(list(parts))
