import numpy as np
import pytest

from biogpt_onnx.reporting.bootstrap import Resampling, ratio_of_sums
from biogpt_onnx.reporting.estimates import Estimate
from biogpt_onnx.runtime.errors import ConfigError


@pytest.mark.parametrize(
    ("settings_", "said"),
    [
        ({"resamples": 0}, "resamples is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"confidence": 1.0}, "confidence is 1.0"),
        ({"confidence": float("nan")}, "confidence is nan"),
    ],
)
def test_bad_settings_are_refused(settings_: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Resampling(**settings_)  # type: ignore[arg-type] # of the wrong values on purpose


def test_a_ratio_weighs_documents_by_their_tokens() -> None:
    assert ratio_of_sums([1, 30], [10, 100]).value == pytest.approx(31 / 110)
    assert ratio_of_sums([3], [4]) == Estimate(0.75, None)
    assert ratio_of_sums([2, 4, 6], [1, 2, 3]) == Estimate(2, (2, 2))


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    # 200 samples of 50 documents: 95 % of 200 is 190, give or take 3; the bootstrap is known to fall a little short.
    generator = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        tokens = generator.integers(50, 200, size=50)
        found = ratio_of_sums((tokens * generator.normal(0.02, 0.05, size=50)).tolist(), tokens.tolist())
        assert found.interval is not None
        covered += found.interval[0] <= 0.02 <= found.interval[1]
    assert 178 <= covered <= 199


def test_units_are_drawn_the_same_in_blocks_or_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random(64).tolist()
    whole = ratio_of_sums(values, [1.0] * 64).interval
    monkeypatch.setattr("biogpt_onnx.reporting.bootstrap._DRAWN_AT_A_TIME", 1000)
    assert ratio_of_sums(values, [1.0] * 64).interval == pytest.approx(whole, abs=1e-12)
