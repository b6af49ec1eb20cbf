"""Comparison of two models' continuations of the same prompts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from biogpt_onnx.reporting.bootstrap import ratio_of_sums
from biogpt_onnx.reporting.estimates import Estimate, proportion
from biogpt_onnx.runtime.engine import BioGPT

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
    baseline: BioGPT,
    model: BioGPT,
    prompts: Sequence[tuple[int, ...]],
    max_new_tokens: int,
    done: Callable[[], None],
) -> Continuations:
    """Has both models continue each prompt, one prompt at a time, so that no continuation depends on other prompts.

    Args:
        baseline: model to compare with.
        model: model that is evaluated.
        prompts: token ids, at least one sequence.
        max_new_tokens: most tokens of a continuation.
        done: called after each prompt.
    """
    lengths, equal_lengths, greedy_equal, beams_equal = [], [], [], []
    for prompt in prompts:
        expected, ours = (_continuation(each, prompt, max_new_tokens) for each in (baseline, model))
        lengths.append(len(expected))
        equal_lengths.append(equal_tokens(expected, ours))
        greedy_equal.append(expected == ours)
        expected, ours = (_continuation(each, prompt, max_new_tokens, NUM_BEAMS) for each in (baseline, model))
        beams_equal.append(expected == ours)
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


def _continuation(model: BioGPT, prompt: tuple[int, ...], max_new_tokens: int, num_beams: int = 1) -> tuple[int, ...]:
    (generation,) = model.generate_ids([prompt], max_new_tokens=max_new_tokens, num_beams=num_beams)
    return generation.token_ids
