import pytest

from biogpt_onnx.reporting.estimates import proportion


def test_a_share_has_wilsons_interval() -> None:
    # The published example of 81 in 263: 0.2553 to 0.3662 (Newcombe, 1998, table I).
    found = proportion([True] * 81 + [False] * 182)
    assert found.value == pytest.approx(81 / 263)
    assert found.interval == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert proportion([True] * 16).interval == pytest.approx((0.8064, 1), abs=5e-5)
