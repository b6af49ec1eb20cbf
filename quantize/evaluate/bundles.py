"""Comparison of a bundle with the float32 bundle that it was made from, in one call, whatever the two compute."""

from collections.abc import Sequence
from pathlib import Path

from biogpt_onnx.quantize.data.texts import evaluation_texts
from biogpt_onnx.quantize.evaluate.evaluation import evaluate
from biogpt_onnx.quantize.evaluate.head_evaluation import HeadEvaluation, evaluate_head
from biogpt_onnx.quantize.evaluate.report import Evaluation
from biogpt_onnx.reporting.progress import Progress
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.options import Device


def evaluate_bundle(  # noqa: PLR0913 -- both bundles, the texts, and five settings
    bundle: str | Path,
    baseline: str | Path,
    texts: Sequence[str] | None = None,
    *,
    device: Device = "auto",
    threads: int | None = None,
    prompts: int = 16,
    check_memory: bool = True,
    progress: Progress | None = None,
) -> Evaluation | HeadEvaluation:
    """Compares a bundle's outputs with those of the float32 bundle that it was made from. Nothing is written.

    Args:
        bundle: Folder of the bundle.
        baseline: Folder of the float32 bundle.
        texts: Documents to compare on; None for built-in ones.
        device: Device to run on: "cpu", "cuda" or "auto"; classifiers run on the CPU.
        threads: Threads of one step; None for one a core.
        prompts: Number of documents whose beginnings are continued; 0 for none. For language models.
        check_memory: False to load a bundle even where memory seems too small; see `load`.
        progress: Called after each document and each prompt.

    Returns:
        An `Evaluation` of language models, a `HeadEvaluation` of classifiers. Both have `to_json` and `table`.

    Raises:
        BundleError: A bundle cannot be read, the two are of different models, or logits are NaN or infinite.
        BuiltInTextError: The built-in text is missing or damaged.
        ConfigError: A setting is bad.
        PromptError: A text is not a string, or all are empty.
        ProviderError: ONNX Runtime or the device is not available.
    """
    ours, theirs = Path(bundle), Path(baseline)
    is_classifier = read_manifest(ours).head is not None
    if is_classifier and device == "cuda":
        raise ConfigError("device is cuda, but classifiers run on the CPU only: choose device cpu or auto")
    documents = evaluation_texts() if texts is None else texts
    if is_classifier:
        return evaluate_head(ours, theirs, documents, threads=threads, check_memory=check_memory, progress=progress)
    return evaluate(
        ours,
        theirs,
        documents,
        device=device,
        threads=threads,
        prompts=prompts,
        check_memory=check_memory,
        progress=progress,
    )
