"""Passages to search with, and the increase of a model's perplexity on them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from biogpt_onnx.reporting.bootstrap import ratio_of_sums
from biogpt_onnx.runtime.backends.cpu.backend import CpuBackend
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer

MAX_PASSAGES = 48
MAX_TOKENS = 128
"""Bounds of the time that a measurement takes: half a minute at BioGPT's size."""

# The interval of the increase needs two.
_FEWEST_PASSAGES = 2
# exp of more overflows; a model that bad is bad enough.
_MOST_NATS = 700.0


@dataclass(frozen=True)
class PerplexityIncrease:
    """Increase of a model's perplexity over the float32 model's, as a share: 0.01 is one percent.

    Attributes:
        value: measured increase.
        upper_bound: upper end of its 95 % interval; where a decrease was measured, which is chance, that of an
            interval of the same width around zero.
    """

    value: float
    upper_bound: float


def select_passages(tokenizer: BioGptTokenizer, texts: Sequence[str], max_positions: int) -> list[tuple[int, ...]]:
    """Returns token ids of the beginnings of at most 48 texts, evenly spread over all of them.

    Args:
        tokenizer: model's tokenizer.
        texts: passages; empty ones are skipped.
        max_positions: longest sequence of the model; at most 128 tokens are taken.

    Raises:
        ConfigError: fewer than two texts hold anything.
    """
    encoded = [tokenizer.encode(text) for text in texts]
    # Every text begins with `</s>`, which nothing predicts.
    sequences = [tuple(ids[: min(MAX_TOKENS, max_positions)]) for ids in encoded if len(ids) > 1]
    if len(sequences) < _FEWEST_PASSAGES:
        raise ConfigError(
            f"calibration has {len(sequences)} passages of text, too few to search on: give at least "
            f"{_FEWEST_PASSAGES}, better {MAX_PASSAGES}, each on a line; or none for the built-in text"
        )
    count = min(MAX_PASSAGES, len(sequences))
    return [sequences[number * len(sequences) // count] for number in range(count)]


class PerplexityComparison:
    """Comparison of models with the float32 model by their perplexity on passages.

    Args:
        passages: token ids, at least two sequences.
        baseline: float32 model.

    Raises:
        BundleError: the float32 model's logits are NaN or infinite.
    """

    def __init__(self, passages: Sequence[tuple[int, ...]], baseline: DecoderSession) -> None:
        self._passages = passages
        self._baseline = self._negative_log_likelihoods(baseline)

    def increase(self, model: DecoderSession) -> PerplexityIncrease:
        """Measures the increase of a model's perplexity over the float32 model's."""
        ours = self._negative_log_likelihoods(model)
        differences = [our - baseline for our, baseline in zip(ours, self._baseline, strict=True)]
        return perplexity_increase(differences, [len(ids) - 1 for ids in self._passages])

    def _negative_log_likelihoods(self, model: DecoderSession) -> list[float]:
        backend = CpuBackend(model)
        return [-math.fsum(backend.score_tokens(ids[:1], None, ids[1:])) for ids in self._passages]


def perplexity_increase(differences: Sequence[float], num_tokens: Sequence[int]) -> PerplexityIncrease:
    """Computes the increase of perplexity from that of the negative log-likelihoods of passages.

    Args:
        differences: increase for each passage, in nats; two at least. One that is NaN or infinite makes the increase
            of perplexity infinite.
        num_tokens: tokens predicted in each passage.
    """
    if not np.isfinite(differences).all():
        return PerplexityIncrease(math.inf, math.inf)
    estimate = ratio_of_sums(differences, num_tokens)
    if estimate.interval is None:
        raise ValueError("a single passage has no interval")
    reach = estimate.interval[1] - estimate.value
    return PerplexityIncrease(_share(estimate.value), _share(max(estimate.value, 0.0) + reach))


def _share(nats: float) -> float:
    return math.expm1(min(nats, _MOST_NATS))
