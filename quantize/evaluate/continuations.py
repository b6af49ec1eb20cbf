"""Comparison of two models' continuations of the same prompts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from biogpt_onnx.reporting.bootstrap import ratio_of_sums
from biogpt_onnx.reporting.estimates import Estimate, proportion

if TYPE_CHECKING:
    from biogpt_onnx.quantize.evaluate.model_pair import ModelPair, OpenBundle

NUM_BEAMS = 5


@dataclass(frozen=True)
class Continuations:
    """Agreement of a model's continuations with its baseline's.

    Attributes:
        num_prompts: number of prompts.
        max_new_tokens: most tokens of a continuation.
        baseline_tokens: mean number of tokens that the baseline's greedy search gives.
        greedy_equal_tokens: mean number of tokens by greedy search before the first that differs. Where two tokens are
            almost equally likely the slightest error decides, and another text follows.
        greedy_equal: share of prompts with equal continuations by greedy search.
        beams_equal: share of prompts whose best continuation by `NUM_BEAMS` beams is equal.
    """

    num_prompts: int
    max_new_tokens: int
    baseline_tokens: float
    greedy_equal_tokens: Estimate
    greedy_equal: Estimate
    beams_equal: Estimate


def compare_continuations(
    pair: "ModelPair", prompts: Sequence[tuple[int, ...]], max_new_tokens: int, done: Callable[[], None]
) -> Continuations:
    """Has both models continue each prompt, one prompt at a time, so that no continuation depends on other prompts.

    Args:
        pair: models that are compared.
        prompts: token ids, at least one sequence.
        max_new_tokens: most tokens of a continuation.
        done: called after each prompt.
    """
    lengths, equal_lengths, greedy_equal, beams_equal = [], [], [], []
    continued = partial(_continued, max_new_tokens=max_new_tokens)
    with pair.baseline.found(continued, prompts) as baseline, pair.bundle.running() as model:
        for prompt, theirs in zip(prompts, baseline, strict=True):
            ours = continued(model, prompt)
            lengths.append(len(theirs.greedy))
            equal_lengths.append(equal_tokens(theirs.greedy, ours.greedy))
            greedy_equal.append(theirs.greedy == ours.greedy)
            beams_equal.append(theirs.beams == ours.beams)
            done()
    return Continuations(
        num_prompts=len(prompts),
        max_new_tokens=max_new_tokens,
        baseline_tokens=sum(lengths) / len(lengths),
        greedy_equal_tokens=ratio_of_sums(equal_lengths, [1] * len(prompts)),
        greedy_equal=proportion(greedy_equal),
        beams_equal=proportion(beams_equal),
    )


def equal_tokens(first: Sequence[int], second: Sequence[int]) -> int:
    """Returns the number of tokens before the first that differs."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(first), len(second)))


class _Continued(NamedTuple):
    greedy: tuple[int, ...]
    beams: tuple[int, ...]


def _continued(model: "OpenBundle", prompt: tuple[int, ...], max_new_tokens: int) -> _Continued:
    def continuation(num_beams: int) -> tuple[int, ...]:
        (generation,) = model.engine.generate_ids([prompt], max_new_tokens=max_new_tokens, num_beams=num_beams)
        return generation.token_ids

    return _Continued(continuation(1), continuation(NUM_BEAMS))
