"""Evaluation of a classifier's bundle against the float32 bundle it was made from: labels and their probabilities."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from biogpt_onnx.quantize.evaluate.model_pair import OpenBundle, PairedBundle, open_pair
from biogpt_onnx.quantize.evaluate.report import BundleSummary
from biogpt_onnx.reporting.bootstrap import ratio_of_sums
from biogpt_onnx.reporting.estimates import Estimate, proportion
from biogpt_onnx.reporting.progress import Progress, StepCounter
from biogpt_onnx.runtime.bundle import ClassificationHead
from biogpt_onnx.runtime.classification.heads import label_logits, label_probabilities
from biogpt_onnx.runtime.errors import BundleError, PromptError
from biogpt_onnx.runtime.options import LoadOptions
from biogpt_onnx.runtime.prompt_checks import as_text

Probabilities = npt.NDArray[np.float64]

_HOLDS = 0.5


@dataclass(frozen=True)
class HeadEvaluation:
    """Comparison of a classifier's bundle with its baseline on the same texts.

    A decision is one about a text, or about a token of a token classifier.

    Attributes:
        bundle: bundle that was evaluated.
        baseline: bundle that it was compared with.
        kind: kind of the head.
        num_documents: texts that were read.
        num_skipped: texts without a token.
        num_cut: texts that were cut to the model's positions.
        num_decisions: decisions that were compared.
        same_labels: share of decisions for the same label, or the same set of labels of a multi-label head; None for a
            regression.
        mean_difference: mean absolute difference of a label's probability; of a regression, of its number.
        largest_difference: largest absolute difference of them.
    """

    bundle: BundleSummary
    baseline: BundleSummary
    kind: str
    num_documents: int
    num_skipped: int
    num_cut: int
    num_decisions: int
    same_labels: Estimate | None
    mean_difference: Estimate
    largest_difference: float

    def to_json(self) -> str:
        """Returns all figures as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2, allow_nan=False)

    def table(self) -> str:
        """Returns the report as lines of text."""
        what = "probability" if self.same_labels else "number"
        remarks = f"{self.num_cut} cut to the model's positions, {self.num_skipped} empty ones skipped"
        lines = [
            f"{'bundle':12}{self.bundle}",
            f"{'baseline':12}{self.baseline}",
            f"{'text':12}{self.num_documents:,} documents, {self.num_decisions:,} decisions; {remarks}",
            "",
            f"{'':32}{'measured':>12}   95 % interval",
        ]
        if self.same_labels is not None:
            lines.append(_row("same labels", self.same_labels, "{:.2%}"))
        lines.append(_row(f"mean difference of a {what}", self.mean_difference, "{:.2e}"))
        lines.append(f"{'largest difference':32}{self.largest_difference:12.2e}")
        return "\n".join(lines)


def evaluate_head(  # noqa: PLR0913 -- both bundles, the texts, and three settings
    bundle: Path,
    baseline: Path,
    texts: Sequence[str],
    *,
    threads: int | None = None,
    check_memory: bool = True,
    progress: Progress | None = None,
) -> HeadEvaluation:
    """Has both bundles classify the same texts. Equal calls have equal results.

    Args:
        bundle: folder of the bundle that is evaluated.
        baseline: folder of the bundle to compare with, in general the float32 one.
        texts: documents; empty ones are skipped, longer ones than the model's positions are cut.
        threads: threads of one step; None for one a core.
        check_memory: False to load a bundle even where memory seems too small; see `LoadOptions`.
        progress: called after each document.

    Raises:
        BundleError: a bundle cannot be read, the two are of different models, or logits are NaN or infinite.
        PromptError: a text is not a string, or all are empty.
        ConfigError: a setting is bad.
        ProviderError: ONNX Runtime is not available.
    """
    options = LoadOptions(device="cpu", threads=threads, check_memory=check_memory)
    pair = open_pair(bundle, baseline, options=options, with_head=True)
    head = _head(pair.baseline)
    probabilities = partial(_probabilities, head=head)
    encoded = [pair.tokenizer.encode(as_text(text)) for text in texts]
    max_positions = pair.baseline.manifest.architecture.max_positions
    documents = [tuple(ids[:max_positions]) for ids in encoded if len(ids) > 1]
    if not documents:
        raise PromptError("there is no text to evaluate on: give at least one document that is not empty")
    done = StepCounter(len(documents), progress)
    compared = []
    with pair.baseline.found(probabilities, documents) as expected, pair.bundle.running() as model:
        for ids, theirs in zip(documents, expected, strict=True):
            compared.append(_compared(head, theirs, probabilities(model, ids)))
            done()
    num_decisions = [len(equal) for equal, _ in compared]
    return HeadEvaluation(
        bundle=pair.bundle.summary,
        baseline=pair.baseline.summary,
        kind=head.kind,
        num_documents=len(documents),
        num_skipped=len(encoded) - len(documents),
        num_cut=sum(len(ids) > max_positions for ids in encoded),
        num_decisions=sum(num_decisions),
        same_labels=_same_labels(head, [equal for equal, _ in compared]),
        mean_difference=ratio_of_sums([float(far.mean(axis=1).sum()) for _, far in compared], num_decisions),
        largest_difference=float(max(far.max() for _, far in compared)),
    )


def _same_labels(head: ClassificationHead, equal: Sequence[npt.NDArray[np.bool_]]) -> Estimate | None:
    if head.problem_type == "regression":
        return None
    if head.kind == "sequence-classification":
        return proportion([bool(one.all()) for one in equal])
    return ratio_of_sums([int(one.sum()) for one in equal], list(map(len, equal)))


def _compared(
    head: ClassificationHead, theirs: Probabilities, ours: Probabilities
) -> tuple[npt.NDArray[np.bool_], Probabilities]:
    """Returns which decisions are equal, [decisions], and how far each label differs, [decisions, labels]."""
    if head.problem_type == "multi_label_classification":
        equal = np.all((theirs >= _HOLDS) == (ours >= _HOLDS), axis=1)
    else:
        equal = theirs.argmax(axis=1) == ours.argmax(axis=1)
    return equal, np.abs(theirs - ours)


def _probabilities(model: OpenBundle, ids: tuple[int, ...], head: ClassificationHead) -> Probabilities:
    logits = label_logits(model.session, head, ids)
    if not np.isfinite(logits).all():
        raise BundleError(f"{model.folder} computes logits that are not finite: make the bundle again")
    return label_probabilities(head, logits)


def _head(model: PairedBundle) -> ClassificationHead:
    if model.manifest.head is None:
        raise BundleError(f"{model.folder} has no classification head: compare bundles of one checkpoint")
    return model.manifest.head


def _row(name: str, estimate: Estimate, form: str) -> str:
    ends = estimate.interval
    interval = " to ".join(form.format(end) for end in ends) if ends else "(one document has none)"
    return f"{name:32}{form.format(estimate.value):>12}   {interval}"
