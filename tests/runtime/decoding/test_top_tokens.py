"""The most probable tokens are those of all logits, wherever the scores lie."""

from math import log

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx.runtime.backends.host_scores import HostTokenScores
from biogpt_onnx.runtime.decoding.top_tokens import log_probabilities_of, scored_tokens, top_tokens
from makers.models import SELECTED, DeviceFake, FakeModel, FakeTokenScores

ROWS = np.log(np.array([[1, 4, 2, 2, 1], [5, 1, 1, 1, 2]], dtype=np.float32) / 10)


def test_the_most_probable_tokens_come_best_first_and_of_equal_ones_the_first() -> None:
    first, second = top_tokens(HostTokenScores(ROWS + np.float32(7)), 3)
    assert [token for token, _ in first] == [1, 2, 3]
    assert [token for token, _ in second] == [0, 4, 1]
    assert [value for _, value in first] == pytest.approx([log(0.4), log(0.2), log(0.2)], abs=1e-5)


@pytest.mark.parametrize("count", [1, 2, 4, 5, 9])
def test_there_are_as_many_as_are_asked_for_or_as_there_are(count: int) -> None:
    for row in top_tokens(HostTokenScores(ROWS), count):
        assert len({token for token, _ in row}) == len(row) == min(count, 5)


@pytest.mark.parametrize("count", [1, 2, SELECTED, SELECTED + 1])
def test_a_device_names_those_that_the_host_does(count: int) -> None:
    logits = np.random.default_rng(3).normal(0, 2, (3, 40)).astype(np.float32)
    model = DeviceFake(lambda _: 0, 40)
    on_device, on_host = top_tokens(FakeTokenScores(model, logits), count), top_tokens(HostTokenScores(logits), count)
    # Only what the device does not select itself is copied as a whole.
    assert (model.selections, model.brought) == ((1, 0) if count <= SELECTED else (0, 1))
    for ours, theirs in zip(on_device, on_host, strict=True):
        assert [token for token, _ in ours] == [token for token, _ in theirs]
        assert [value for _, value in ours] == pytest.approx([value for _, value in theirs], abs=1e-5)


def test_the_log_probability_of_a_token_of_each_row_is_that_of_the_softmax() -> None:
    tokens = np.array([1, 4])
    expected = [log(0.4), log(0.2)]
    assert log_probabilities_of(HostTokenScores(ROWS), tokens) == pytest.approx(expected, abs=1e-6)
    model = DeviceFake(lambda _: 0, 5)
    assert log_probabilities_of(FakeTokenScores(model, ROWS), tokens) == pytest.approx(expected, abs=1e-6)
    assert model.brought == 0


def test_each_token_behind_a_prompt_has_its_own_place() -> None:
    def answer(past: list[int]) -> npt.NDArray[np.float32]:
        return np.random.default_rng(past).normal(0, 2, 50).astype(np.float32)

    prompt, tokens = [2, 5, 6], [7, 8, 9, 10]
    found = list(scored_tokens(FakeModel(answer).backend, prompt, None, tokens, 2))
    assert len(found) == len(tokens)
    for place, (value, best) in enumerate(found):
        row = answer([*prompt, *tokens[:place]]).astype(np.float64)
        expected = row - np.log(np.exp(row).sum())
        assert value == pytest.approx(expected[tokens[place]], abs=1e-5)
        assert [token for token, _ in best] == np.argsort(-expected)[:2].tolist()
