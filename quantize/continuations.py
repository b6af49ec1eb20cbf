"""What two models say after the same prompts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from biogpt_onnx.reporting.bootstrap import ratio_of_sums
from biogpt_onnx.reporting.estimates import Estimate, proportion
from biogpt_onnx.runtime.engine import BioGPT

NUM_BEAMS = 5


@dataclass(frozen=True)
class Continuations:
    """How alike the answers to some prompts are.

    Attributes:
        num_prompts: prompts.
        max_new_tokens: most tokens of an answer.
        baseline_tokens: tokens that the baseline's greedy search gives, in the mean.
        greedy_equal_tokens: of those, how many come before the first that differs, in the mean. Where two tokens are
            almost equally likely the slightest error decides, and what follows is another text.
        greedy_equal: share of prompts with equal answers by greedy search.
        beams_equal: share of prompts whose best answer by `NUM_BEAMS` beams is equal.
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
    """Has both models continue each prompt by itself, so that nothing depends on the others.

    Args:
        baseline: the truth.
        model: what is held against it.
        prompts: token ids, at least one sequence.
        max_new_tokens: most tokens of an answer.
        done: called after each prompt.
    """
    lengths, equal_lengths, greedy_equal, beams_equal = [], [], [], []
    for prompt in prompts:
        expected, ours = (_answer(each, prompt, max_new_tokens) for each in (baseline, model))
        lengths.append(len(expected))
        equal_lengths.append(equal_tokens(expected, ours))
        greedy_equal.append(expected == ours)
        expected, ours = (_answer(each, prompt, max_new_tokens, NUM_BEAMS) for each in (baseline, model))
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
    """Tokens before the first that differs."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(first), len(second)))


def _answer(model: BioGPT, prompt: tuple[int, ...], max_new_tokens: int, num_beams: int = 1) -> tuple[int, ...]:
    (generation,) = model.generate_ids([prompt], max_new_tokens=max_new_tokens, num_beams=num_beams)
    return generation.token_ids
