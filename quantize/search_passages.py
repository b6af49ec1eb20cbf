"""Text to search with: how much perplexity grows on it, and how much of that may be chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from biogpt_onnx.reporting.bootstrap import ratio_of_sums
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.decoding.strategies.continuation_scoring import token_log_probabilities
from biogpt_onnx.runtime.errors import BundleError, ConfigError
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer

MAX_PASSAGES = 48
MAX_TOKENS = 128
"""Bounds of the time that a measurement takes: half a minute at BioGPT's size."""

# A single passage says nothing of others.
_FEWEST_PASSAGES = 2
# exp of more overflows. So bad a model is bad enough.
_MOST_NATS = 700.0


@dataclass(frozen=True)
class Growth:
    """How much perplexity grows, as a share: 0.01 is one percent.

    Attributes:
        value: as measured.
        at_most: the upper end of its 95 % interval; where the measured value is a gain, which is luck, that of an
            interval about zero.
    """

    value: float
    at_most: float


def search_passages(tokenizer: BioGptTokenizer, texts: Sequence[str], max_positions: int) -> list[tuple[int, ...]]:
    """Token ids of the beginnings of texts, evenly spread over all of them.

    Raises:
        ConfigError: there are fewer than two texts that hold something.
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


class SearchText:
    """Passages, and how well the float32 model predicts them.

    Args:
        passages: see `search_passages`.
        baseline: the float32 model.

    Raises:
        BundleError: the model computes what is no number.
    """

    def __init__(self, passages: Sequence[tuple[int, ...]], baseline: DecoderSession) -> None:
        self._passages = passages
        self._baseline = self._negative_log_likelihoods(baseline)
        if not np.isfinite(self._baseline).all():
            raise BundleError("the float32 bundle computes logits that are no numbers: export a sound checkpoint")

    def growth(self, model: DecoderSession) -> Growth:
        """Of a model's perplexity beside the float32 model's."""
        ours = self._negative_log_likelihoods(model)
        differences = [our - baseline for our, baseline in zip(ours, self._baseline, strict=True)]
        return growth_of(differences, [len(ids) - 1 for ids in self._passages])

    def _negative_log_likelihoods(self, model: DecoderSession) -> list[float]:
        return [-math.fsum(token_log_probabilities(model, ids[:1], None, ids[1:])) for ids in self._passages]


def growth_of(differences: Sequence[float], num_tokens: Sequence[int]) -> Growth:
    """From how much less likely passages have become.

    Args:
        differences: of each passage, in nats; two at least.
        num_tokens: of each passage.
    """
    if not np.isfinite(differences).all():
        return Growth(math.inf, math.inf)
    estimate = ratio_of_sums(differences, num_tokens)
    if estimate.interval is None:
        raise ValueError("a single passage has no interval")
    reach = estimate.interval[1] - estimate.value
    return Growth(_share(estimate.value), _share(max(estimate.value, 0.0) + reach))


def _share(nats: float) -> float:
    return math.expm1(min(nats, _MOST_NATS))
