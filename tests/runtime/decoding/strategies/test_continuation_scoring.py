"""The scores of choices are the log-probabilities of their tokens, and of an end where one must follow."""

import math

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx.runtime.decoding.strategies.continuation_scoring import choices_after_each
from biogpt_onnx.runtime.errors import PromptError
from makers.models import FakeModel

VOCAB = 12
PROMPT = (2, 5)
TEXTS = ["yes", "no"]
TOKENS = [(3, 4), (6,)]


def logits_after(past: list[int]) -> npt.NDArray[np.float32]:
    return np.random.default_rng(past).normal(0, 2, VOCAB).astype(np.float32)


def probability(tokens: tuple[int, ...]) -> float:
    found, past = 1.0, list(PROMPT)
    for token in tokens:
        weights = np.exp(logits_after(past).astype(np.float64))
        found *= float(weights[token] / weights.sum())
        past.append(token)
    return found


@pytest.mark.parametrize("end_tokens", [(), (2,), (2, 9, 7)], ids=["no end", "an end", "one of several ends"])
def test_a_choice_is_as_likely_as_its_tokens_and_any_of_its_ends(end_tokens: tuple[int, ...]) -> None:
    ends: list[tuple[int, ...]] = [(token,) for token in end_tokens] or [()]
    expected = [sum(probability((*tokens, *end)) for end in ends) for tokens in TOKENS]
    model = FakeModel(logits_after, VOCAB)
    (found,) = choices_after_each(model.backend, [(PROMPT, None)], TEXTS, TOKENS, end_tokens)
    assert [choice.log_probability for choice in found.choices] == pytest.approx(
        list(map(math.log, expected)), abs=1e-5
    )
    assert [choice.probability for choice in found.choices] == pytest.approx(
        [one / sum(expected) for one in expected], abs=1e-5
    )
    assert [choice.text for choice in found.choices] == TEXTS


def test_a_prompt_and_its_longest_choice_may_fill_the_positions_and_no_more() -> None:
    prompt = (2, *[5] * 7)
    model = FakeModel(logits_after, VOCAB, max_positions=len(prompt) + 2)
    assert len(choices_after_each(model.backend, [(prompt, None)], TEXTS, TOKENS, (2,))[0].choices) == 2
    with pytest.raises(PromptError, match="a prompt has 9 tokens and a choice 3, the model 10 positions"):
        choices_after_each(model.backend, [(PROMPT, None), ((*prompt, 5), None)], TEXTS, TOKENS, (2,))
