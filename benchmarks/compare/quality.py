"""Quality of each quantized variant, ours or a peer's: its logits on text beside our float32 ones."""

import dataclasses
import json
import math
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.compare.same_model import logits_of
from biogpt_onnx.bench.contender import Contender
from biogpt_onnx.bench.measuring.process import ContenderError, PinnedProcess
from biogpt_onnx.quantize.data.texts import evaluation_texts
from biogpt_onnx.quantize.evaluate.divergence import Divergence, divergence
from biogpt_onnx.reporting.bootstrap import ratio_of_sums
from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer

_DOCUMENTS = 100
# exp of more overflows.
_MOST_NATS = 700.0


class Texts(NamedTuple):
    """Documents that quality is measured on.

    Attributes:
        texts: the documents.
        origin: where they come from, as the report says it.
    """

    texts: Sequence[str]
    origin: str


def read_texts(data: Path | None) -> Texts:
    """Reads the last documents of BC5CDR's validation set, on which the checkpoint was not trained.

    Args:
        data: a folder with `bc5cdr/valid.json`; without it the built-in texts are returned.
    """
    if data is None:
        return Texts(evaluation_texts(), "the built-in evaluation text")
    documents = json.loads((data / "bc5cdr" / "valid.json").read_text(encoding="utf-8")).values()
    texts = [f"{document['title']} {document['abstract']}" for document in list(documents)[-_DOCUMENTS:]]
    return Texts(texts, "abstracts of BC5CDR's validation set")


class QualityOf:
    """Measures the quality of contenders on one model; our float32 bundle of it runs beside each."""

    def __init__(self, reference: Path, contender: Contender, texts: Texts, cores: Sequence[int], logs: Path) -> None:
        self._texts, self._cores, self._logs = texts, cores, logs
        self._reference = contender
        tokenizer = BioGptTokenizer.from_files(reference / bundle.VOCAB_FILE, reference / bundle.MERGES_FILE)
        encoded = [tuple(tokenizer.encode(text)[: contender.max_positions]) for text in texts.texts]
        self._documents = [ids for ids in encoded if len(ids) > 1]

    def measure(self, contender: Contender) -> dict[str, Any]:
        """Measures perplexity and agreement, with 95 % intervals over documents.

        Raises:
            ContenderError: the contender fails, or gives no logits of every position.
        """
        with ExitStack() as stack:
            ours, theirs = (stack.enter_context(self._process(each)) for each in (self._reference, contender))
            found = [self._divergence(ours, theirs, ids) for ids in self._documents]
        total = Divergence.total(found)
        tokens = [each.num_tokens for each in found]
        log_increase = ratio_of_sums([each.nll - each.baseline_nll for each in found], tokens)
        increase = log_increase.map(lambda nats: math.expm1(min(nats, _MOST_NATS)))
        return {
            "text": self._texts.origin,
            "documents": len(found),
            "tokens": total.num_tokens,
            "perplexity": math.exp(min(total.nll / total.num_tokens, _MOST_NATS)),
            "baseline_perplexity": math.exp(min(total.baseline_nll / total.num_tokens, _MOST_NATS)),
            "perplexity_increase": dataclasses.asdict(increase),
            "top_1_agreement": dataclasses.asdict(ratio_of_sums([each.top_1_equal for each in found], tokens)),
            "kl_divergence": dataclasses.asdict(ratio_of_sums([each.kl_divergence for each in found], tokens)),
        }

    def _divergence(self, ours: PinnedProcess, theirs: PinnedProcess, ids: tuple[int, ...]) -> Divergence:
        # The last token predicts nothing that can be compared with.
        read, targets = ids[:-1], np.array(ids[1:], dtype=np.int64)
        baseline, logits = (logits_of(process, read) for process in (ours, theirs))
        if len(logits) != len(read):
            raise ContenderError(f"it gives the logits of {len(logits)} of {len(read)} positions")
        if not np.isfinite(logits).all():
            raise ContenderError("its logits are no numbers")
        return divergence(baseline, logits, targets)

    def _process(self, contender: Contender) -> PinnedProcess:
        log = self._logs / f"quality-{contender is self._reference}.log"
        return PinnedProcess(contender.command(len(self._cores)), self._cores, log, contender.environment)


def is_quantized(contender: Contender) -> bool:
    """Returns whether the contender's weights are quantized, so that there is a loss to measure."""
    return contender.precision != "fp32"
