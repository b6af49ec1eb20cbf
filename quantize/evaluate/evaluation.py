"""Evaluation of a bundle against the float32 bundle it was made from."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from biogpt_onnx.quantize.evaluate.continuations import Continuations, compare_continuations
from biogpt_onnx.quantize.evaluate.divergence import Divergence, divergence
from biogpt_onnx.quantize.evaluate.document_passes import (
    DocumentPass,
    document_groups,
    document_passes,
    read_as_prompt,
    read_document,
)
from biogpt_onnx.quantize.evaluate.layer_errors import CacheComparison, LayerError
from biogpt_onnx.quantize.evaluate.model_pair import ModelPair, open_pair
from biogpt_onnx.quantize.evaluate.report import Evaluation
from biogpt_onnx.reporting.bootstrap import ratio_of_sums
from biogpt_onnx.reporting.estimates import Estimate
from biogpt_onnx.reporting.progress import Progress, StepCounter
from biogpt_onnx.runtime.errors import ConfigError, PromptError
from biogpt_onnx.runtime.options import Device, LoadOptions
from biogpt_onnx.runtime.prompt_checks import as_text

PROMPT_TOKENS = 32
"""Tokens of a document's beginning that are a prompt; of a short document, its first half is."""

# exp of more overflows; a model that bad is bad enough.
_MOST_NATS = 700.0


def evaluate(  # noqa: PLR0913 -- both bundles, the texts, and six settings
    bundle: Path,
    baseline: Path,
    texts: Sequence[str],
    *,
    device: Device = "auto",
    threads: int | None = None,
    continuation_tokens: int = 32,
    prompts: int = 16,
    check_memory: bool = True,
    progress: Progress | None = None,
) -> Evaluation:
    """Runs both bundles over the same texts and has them continue some of these. Equal calls have equal results.

    Args:
        bundle: folder of the bundle that is evaluated.
        baseline: folder of the bundle to compare with, in general the float32 one.
        texts: documents; empty ones are skipped, longer ones than the model's positions are cut.
        device: device that both run on: "cpu", "cuda", or "auto" for the best one that runs each.
        threads: threads of one step; None for one a core.
        continuation_tokens: most tokens of a continuation.
        prompts: number of documents, evenly spread over all, whose beginnings are continued; 0 for none.
        check_memory: False to load a bundle even where memory seems too small; see `LoadOptions`.
        progress: called after each document and each prompt.

    Raises:
        BundleError: a bundle cannot be read, the two are of different models, or logits are NaN or infinite.
        PromptError: a text is not a string, or all are empty.
        ConfigError: a setting is bad.
        ProviderError: ONNX Runtime or the device is not available.
    """
    _check_settings(continuation_tokens, prompts)
    options = LoadOptions(device=device, threads=threads, check_memory=check_memory)
    pair = open_pair(bundle, baseline, options=options)
    encoded = [pair.tokenizer.encode(as_text(text)) for text in texts]
    max_positions = pair.bundle.manifest.architecture.max_positions
    # Every text begins with `</s>`, which nothing predicts.
    documents = [tuple(ids[:max_positions]) for ids in encoded if len(ids) > 1]
    if not documents:
        raise PromptError("there is no text to evaluate on: give at least one document that is not empty")
    beginnings = _prompts(documents, prompts)
    done = StepCounter(len(documents) + len(beginnings), progress)
    measured, reading, layer_errors = _compare_documents(pair, documents, done)
    continuations = None
    if beginnings:
        continuations = compare_continuations(pair, beginnings, continuation_tokens, done)
    return _evaluation(
        pair,
        measured,
        reading,
        layer_errors,
        continuations,
        num_skipped=len(encoded) - len(documents),
        num_cut=sum(len(ids) > max_positions for ids in encoded),
    )


def _check_settings(continuation_tokens: int, prompts: int) -> None:
    if continuation_tokens < 1:
        raise ConfigError(f"continuation_tokens is {continuation_tokens}: give at least 1")
    if prompts < 0:
        raise ConfigError(f"prompts is {prompts}: give how many documents to continue, 0 for none")


def _prompts(documents: Sequence[tuple[int, ...]], num_prompts: int) -> list[tuple[int, ...]]:
    count = min(num_prompts, len(documents))
    chosen = [documents[number * len(documents) // count] for number in range(count)]
    return [ids[: min(PROMPT_TOKENS, (len(ids) + 1) // 2)] for ids in chosen]


def _compare_documents(
    pair: ModelPair, documents: Sequence[tuple[int, ...]], done: Callable[[], None]
) -> tuple[tuple[Divergence, ...], tuple[Divergence, ...], tuple[LayerError, ...]]:
    """Compares the bundles' passes over documents.

    Returns:
        The divergence on each document; if sequences step by a graph of their own, the divergence on each that is read
        as a prompt, and otherwise none; and the errors of layers.
    """
    caches = CacheComparison(pair.baseline.manifest.architecture)
    measured: list[Divergence] = []
    reading: list[Divergence] = []
    for group in document_groups(pair.baseline, documents):
        # Nothing follows the last token that its prediction could be compared with.
        read = [ids[:-1] for ids in group]
        with document_passes(pair.baseline, read) as baseline, pair.bundle.running() as model:
            for ids, theirs in zip(group, baseline, strict=True):
                ours = [read_document(model, ids[:-1])]
                if model.manifest.steps is not None:
                    ours.append(read_as_prompt(model, ids[:-1]))
                found, *others = _compare_passes(theirs, ours, np.array(ids[1:], dtype=np.int64))
                measured.append(found)
                reading += others
                caches.add(theirs.cache(), ours[0].cache())
                done()
    return tuple(measured), tuple(reading), caches.errors()


def _compare_passes(
    theirs: DocumentPass, ours: Sequence[DocumentPass], targets: npt.NDArray[np.int64]
) -> list[Divergence]:
    """Returns the divergence of each of several passes over a document from another one."""
    parts: list[list[Divergence]] = [[] for _ in ours]
    start = 0
    for logits, *others in zip(theirs.logits, *(each.logits for each in ours), strict=True):
        stop = start + len(logits)
        for part, other in zip(parts, others, strict=True):
            part.append(divergence(logits, other, targets[start:stop]))
        start = stop
    return list(map(Divergence.total, parts))


def _evaluation(  # noqa: PLR0913 -- all parts of the result
    pair: ModelPair,
    documents: tuple[Divergence, ...],
    reading: tuple[Divergence, ...],
    layer_errors: tuple[LayerError, ...],
    continuations: Continuations | None,
    *,
    num_skipped: int,
    num_cut: int,
) -> Evaluation:
    total = Divergence.total(documents)
    tokens = [document.num_tokens for document in documents]
    return Evaluation(
        bundle=pair.bundle.summary,
        baseline=pair.baseline.summary,
        num_skipped=num_skipped,
        num_cut=num_cut,
        perplexity=math.exp(min(total.nll / total.num_tokens, _MOST_NATS)),
        baseline_perplexity=math.exp(min(total.baseline_nll / total.num_tokens, _MOST_NATS)),
        perplexity_increase=_perplexity_increase(documents),
        kl_divergence=ratio_of_sums([document.kl_divergence for document in documents], tokens),
        top_1_agreement=ratio_of_sums([document.top_1_equal for document in documents], tokens),
        top_5_overlap=ratio_of_sums([document.top_k_overlap for document in documents], tokens),
        continuations=continuations,
        layer_errors=layer_errors,
        documents=documents,
        vocab_size=pair.bundle.manifest.architecture.vocab_size,
        reading_perplexity_increase=_perplexity_increase(reading) if reading else None,
    )


def _perplexity_increase(documents: Sequence[Divergence]) -> Estimate:
    log_increase = ratio_of_sums(
        [document.nll - document.baseline_nll for document in documents],
        [document.num_tokens for document in documents],
    )
    return log_increase.map(lambda nats: math.expm1(min(nats, _MOST_NATS)))
