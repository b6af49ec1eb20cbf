"""The proof that a quantized bundle still answers like the float32 one, put on record in its manifest."""

import json
from collections.abc import Sequence
from pathlib import Path

from biogpt_onnx.quantize.data.texts import evaluation_texts
from biogpt_onnx.quantize.evaluate.evaluation import Progress, evaluate
from biogpt_onnx.quantize.evaluate.report import Evaluation
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.bundle.writer import record_evaluation

_PROMPTS = 4
"""Documents whose beginnings are continued: enough to see that nothing is broken, and done in seconds."""


def prove(
    target: Path,
    source: Path,
    max_perplexity_increase: float,
    *,
    texts: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluates a quantized bundle against the bundle it was made from, and writes the result into its manifest.

    Args:
        target: the quantized bundle.
        source: the float32 bundle.
        max_perplexity_increase: the gate, a share of the baseline's perplexity; missed or not, the bundle stays.
        texts: documents to evaluate with; by default a built-in text, on which no recipe is calibrated.
        progress: see `evaluate`.

    Raises:
        BundleError: a bundle cannot be used, or the manifest not be written.
        PromptError: the texts hold nothing.
    """
    documents = evaluation_texts() if texts is None else texts
    evaluation = evaluate(target, source, documents, prompts=_PROMPTS, progress=progress)
    report = json.loads(evaluation.to_json(max_perplexity_increase))
    # A summary: the figures of each document say nothing to whoever loads the bundle, nor do the bundles' own sizes.
    for name in ("documents", "bundle"):
        del report[name]
    report["num_documents"] = len(evaluation.documents)
    report["text"] = "built-in" if texts is None else "given"
    record_evaluation(target, read_manifest(target), report)
    return evaluation
