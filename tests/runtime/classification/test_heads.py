import dataclasses

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx.runtime.bundle import ClassificationHead
from biogpt_onnx.runtime.classification.heads import classify, label_logits, label_probabilities
from makers.checkpoints import SEQUENCE, TOKENS
from makers.models import FakeModel

MULTI = dataclasses.replace(SEQUENCE, problem_type="multi_label_classification")
REGRESSION = dataclasses.replace(SEQUENCE, problem_type="regression")
LOGITS = np.array([[2.0, -1.0, 0.5]], dtype=np.float32)


def test_one_of_several_labels_holds() -> None:
    found = classify(SEQUENCE, LOGITS)
    assert (found.label, found.labels) == ("none", ("none",))
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert found.probabilities["mild"] == pytest.approx(np.exp(-1) / np.exp(LOGITS).sum(), rel=1e-6)
    assert found.values == {"none": 2.0, "mild": -1.0, "severe": 0.5}


def test_each_of_several_labels_may_hold() -> None:
    found = classify(MULTI, LOGITS)
    assert (found.label, found.labels) == ("none", ("none", "severe"))
    assert found.probabilities["mild"] == pytest.approx(1 / (1 + np.e), rel=1e-6)
    assert classify(MULTI, -np.abs(LOGITS)).labels == ()


def test_a_regression_has_numbers_and_no_labels() -> None:
    found = classify(REGRESSION, LOGITS)
    assert (found.label, found.labels, found.probabilities) == (None, (), {})
    assert found.values == {"none": 2.0, "mild": -1.0, "severe": 0.5}


@pytest.mark.parametrize("head", [SEQUENCE, MULTI])
def test_large_logits_do_not_overflow(head: ClassificationHead) -> None:
    found = label_probabilities(head, np.array([[1e4, -1e4, 0]], dtype=np.float32))
    assert np.isfinite(found).all()
    assert found[0, 0] == pytest.approx(1)
    assert found[0, 1] == pytest.approx(0)


def tokens_seen(head: ClassificationHead, ids: list[int]) -> list[int]:
    """The last token that each row of logits has read."""

    def last(past: list[int]) -> npt.NDArray[np.float32]:
        return np.array([past[-1]], dtype=np.float32)

    return [int(row[0]) for row in label_logits(FakeModel(last, vocab_size=1).backend, head, ids)]


@pytest.mark.parametrize(
    ("pad_token_id", "ids", "token"),
    [(1, [2, 7, 8], 8), (1, [2, 7, 8, 1, 1], 8), (8, [2, 7, 8], 7), (2, [2, 7, 2], 7), (None, [2, 7, 1], 1)],
)
def test_a_text_is_classified_at_its_last_token_that_is_no_padding(
    pad_token_id: int | None, ids: list[int], token: int
) -> None:
    assert tokens_seen(dataclasses.replace(SEQUENCE, pad_token_id=pad_token_id), ids) == [token]


def test_a_text_of_padding_alone_is_classified_at_its_first_token_as_in_transformers() -> None:
    assert tokens_seen(dataclasses.replace(SEQUENCE, pad_token_id=2), [2, 2, 2]) == [2]


def test_each_token_behind_the_first_is_tagged() -> None:
    assert tokens_seen(TOKENS, [2, 7, 8, 1]) == [7, 8, 1]
