import importlib.util
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores.metrics.calibration import (
    Calibration,
    calibration,
    calibration_of_answers,
    calibration_of_classes,
)
from biogpt_onnx.scores.reports.calibration import check_calibration_plot, plot_calibration
from makers.task_results import answer, classification

ANSWERED = st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=40)


@pytest.fixture(scope="module")
def uneven() -> Calibration:
    return calibration([0.95, 0.9, 0.9, 0.4, 0.35], [True, True, False, False, False])


def test_the_error_is_computed_by_hand() -> None:
    # 0.9 twice, once right: |0.5 - 0.9| of two thirds. 0.62 once, right: |1 - 0.62| of one third.
    found = calibration([0.9, 0.9, 0.62], [True, False, True])
    assert found.error == pytest.approx(0.4 * 2 / 3 + 0.38 / 3)
    assert found.count == 3
    assert len(found.bins) == 15
    table = [(each.count, each.confidence, each.accuracy) for each in found.bins if each.count]
    assert table == [(1, 0.62, 1.0), (2, 0.9, 0.5)]
    assert all((each.confidence, each.accuracy) == (None, None) for each in found.bins if not each.count)


def test_who_is_right_as_often_as_confident_is_calibrated() -> None:
    confidences = [0.5] * 4 + [0.8] * 5 + [1.0] * 2 + [0.0]
    correct = [True] * 2 + [False] * 2 + [True] * 4 + [False] + [True] * 2 + [False]
    assert calibration(confidences, correct).error == pytest.approx(0, abs=1e-12)


def test_bins_are_open_below_and_closed_above() -> None:
    found = calibration([0.0, 0.5, 0.5000001, 1.0], [True] * 4, bins=2)
    assert [(each.low, each.high, each.count) for each in found.bins] == [(0.0, 0.5, 2), (0.5, 1.0, 2)]


@given(ANSWERED)
def test_the_error_is_a_share_and_no_answer_is_lost(answered: list[tuple[float, bool]]) -> None:
    found = calibration([confidence for confidence, _ in answered], [right for _, right in answered])
    assert 0 <= found.error <= 1
    assert sum(each.count for each in found.bins) == found.count == len(answered)


def test_sums_of_probabilities_may_be_off_by_rounding() -> None:
    assert calibration([1.0000001, -1e-9], [True, False]).error == 0


@pytest.mark.parametrize(
    ("confidences", "correct", "bins", "said"),
    [
        ([0.5], [True, False], 15, "1 confidences for 2 answers"),
        ([0.5], [True], 0, "bins is 0"),
        ([1.1], [True], 15, "a confidence is 1.1"),
        ([math.nan], [True], 15, "a confidence is nan"),
    ],
)
def test_what_is_no_calibration_is_refused(confidences: list[float], correct: list[bool], bins: int, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        calibration(confidences, correct, bins=bins)


def test_the_confidence_of_an_answer_is_the_probability_of_its_label() -> None:
    shares = {"yes": 0.7, "no": 0.2, "maybe": 0.1}
    found = calibration_of_answers([answer("yes", shares), answer("no", shares), answer(None, shares)], ["yes"] * 3)
    assert (found.count, found.left_out) == (2, 1)
    assert found.error == pytest.approx((0.3 + 0.2) / 2)


def test_the_label_named_first_is_right_where_it_is_among_the_gold() -> None:
    given_ = [classification("a", "b", confidence=0.6), classification("b", confidence=0.8), classification()]
    found = calibration_of_classes(given_, [frozenset("ab"), frozenset("a"), frozenset("a")])
    assert (found.count, found.left_out) == (2, 1)
    assert found.error == pytest.approx((0.4 + 0.8) / 2)


def test_predictions_of_other_documents_are_refused() -> None:
    with pytest.raises(ConfigError, match="1 predictions for 2 gold documents"):
        calibration_of_answers([answer("yes")], ["yes", "no"])


@pytest.mark.parametrize(("name", "said"), [("plot.pdf", "ends with .png or .svg"), ("none/plot.png", "no folder")])
def test_a_picture_that_cannot_be_drawn_is_refused_before(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        check_calibration_plot(tmp_path / name)


def test_without_matplotlib_a_picture_is_refused_kindly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uneven: Calibration
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r'pip install "biogpt-onnx\[plot\]"'):
        plot_calibration(tmp_path / "plot.png", {"model": uneven}, "PubMedQA")


def test_a_picture_needs_something_to_show(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no calibration to draw"):
        plot_calibration(tmp_path / "plot.png", {}, "PubMedQA")


def test_the_picture_of_equal_calibrations_is_equal(tmp_path: Path, uneven: Calibration) -> None:
    pytest.importorskip("matplotlib")
    both = {"model": uneven, "other": calibration([], [])}
    plot_calibration(tmp_path / "first.svg", both, "PubMedQA")
    plot_calibration(tmp_path / "second.svg", both, "PubMedQA")
    plot_calibration(tmp_path / "third.PNG", both, "PubMedQA")
    assert (tmp_path / "first.svg").read_bytes() == (tmp_path / "second.svg").read_bytes()
    assert (tmp_path / "third.PNG").read_bytes().startswith(b"\x89PNG")
