"""Quality gate: the evaluation of a quantized bundle, recorded in its manifest."""

import json
from collections.abc import Sequence
from pathlib import Path

from biogpt_onnx.quantize.data.texts import evaluation_texts, texts_digest
from biogpt_onnx.quantize.evaluate.evaluation import evaluate
from biogpt_onnx.quantize.evaluate.head_evaluation import HeadEvaluation, evaluate_head
from biogpt_onnx.quantize.evaluate.report import Evaluation
from biogpt_onnx.reporting.progress import Progress
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.bundle.writer import record_evaluation

# Documents whose beginnings are continued: enough to see that nothing is broken, and done in seconds.
_PROMPTS = 4


def run_quality_gate(  # noqa: PLR0913 -- both bundles, the limit, and three settings
    target: Path,
    source: Path,
    max_perplexity_increase: float,
    *,
    texts: Sequence[str] | None = None,
    check_memory: bool = True,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluates a quantized bundle against the bundle it was made from, and writes the result into its manifest.

    A bundle that misses the gate stays; `Evaluation.passed` tells.

    Args:
        target: quantized bundle.
        source: float32 bundle.
        max_perplexity_increase: largest increase of perplexity that passes, as a share of the float32 bundle's.
        texts: documents to evaluate with; by default the built-in ones, on which no recipe is calibrated.
        check_memory: False to load a bundle even where memory seems too small; see `LoadOptions`.
        progress: called after each document and each prompt.

    Raises:
        BundleError: a bundle cannot be used, or the manifest cannot be written.
        PromptError: all texts are empty.
        BuiltInTextError: the built-in text is missing or damaged.
    """
    documents = evaluation_texts() if texts is None else texts
    evaluation = evaluate(target, source, documents, prompts=_PROMPTS, check_memory=check_memory, progress=progress)
    report = json.loads(evaluation.to_json(max_perplexity_increase))
    # A summary, without the figures of each document, and without the bundle's, which are in its manifest anyway.
    for name in ("documents", "bundle"):
        del report[name]
    report["num_documents"] = len(evaluation.documents)
    report |= _text_record(documents, built_in=texts is None)
    record_evaluation(target, read_manifest(target), report)
    return evaluation


def record_head_evaluation(
    target: Path,
    source: Path,
    *,
    texts: Sequence[str] | None = None,
    check_memory: bool = True,
    progress: Progress | None = None,
) -> HeadEvaluation:
    """Evaluates a quantized classifier against the bundle it was made from, and writes the result into its manifest.

    There is no limit that it has to keep, because only text with known labels could tell what a difference costs.

    Args:
        target: quantized bundle.
        source: float32 bundle.
        texts: documents to evaluate with; by default the built-in ones, on which no recipe is calibrated.
        check_memory: False to load a bundle even where memory seems too small; see `LoadOptions`.
        progress: called after each document.

    Raises:
        BundleError: a bundle cannot be used, or the manifest cannot be written.
        PromptError: all texts are empty.
        BuiltInTextError: the built-in text is missing or damaged.
    """
    documents = evaluation_texts() if texts is None else texts
    evaluation = evaluate_head(target, source, documents, check_memory=check_memory, progress=progress)
    report = json.loads(evaluation.to_json())
    del report["bundle"]
    report |= _text_record(documents, built_in=texts is None)
    record_evaluation(target, read_manifest(target), report)
    return evaluation


def _text_record(documents: Sequence[str], *, built_in: bool) -> dict[str, str]:
    return {"text": "built-in" if built_in else "given", "text_sha256": texts_digest(documents)}
