import pytest

from biogpt_onnx.reporting.quantiles import normal_quantile, poisson_lower_limit, student_quantile


@pytest.mark.parametrize(
    ("degrees", "quantile"), [(1, 12.706), (2, 4.303), (3, 3.182), (5, 2.571), (10, 2.228), (19, 2.093), (1000, 1.962)]
)
def test_students_quantiles_are_those_of_the_tables(degrees: int, quantile: float) -> None:
    assert student_quantile(0.95, degrees) == pytest.approx(quantile, abs=0.005)


def test_other_confidences() -> None:
    assert normal_quantile(0.9) == pytest.approx(1.6449, abs=1e-4)
    assert student_quantile(0.9, 9) == pytest.approx(1.833, abs=1e-3)
    assert student_quantile(0.99, 19) == pytest.approx(2.861, abs=2e-3)


@pytest.mark.parametrize(("count", "limit"), [(1, 0.05129), (2, 0.35536), (3, 0.81769)])
def test_poisson_limits_are_those_of_the_tables(count: int, limit: float) -> None:
    assert poisson_lower_limit(0.95, count) == pytest.approx(limit, abs=1e-5)


def test_a_limit_at_little_confidence_may_exceed_the_count() -> None:
    # One event is reached with a probability of 0.9 at a mean of -ln(0.1).
    assert poisson_lower_limit(0.1, 1) == pytest.approx(2.302585, abs=1e-6)
