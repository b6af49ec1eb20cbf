from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx.runtime.decoding.processors.custom import CustomRule
from biogpt_onnx.runtime.errors import ConfigError
from makers.states import sequence_state

Logits = npt.NDArray[np.float32]


def apply(function: Any, logits: Logits) -> Logits:
    rule = CustomRule(function, 1)
    rule([sequence_state([7, row], new=[3]) for row in range(len(logits))], logits)
    return logits


def test_a_rule_sees_each_row_with_its_own_ids() -> None:
    seen = []

    def remember(ids: npt.NDArray[np.int64], logits: Logits) -> Logits:
        seen.append((ids.tolist(), logits.tolist()))
        return logits

    apply(remember, np.array([[1, 2], [3, 4]], dtype=np.float32))
    assert seen == [([7, 0, 3], [1, 2]), ([7, 1, 3], [3, 4])]


def test_what_a_rule_returns_replaces_the_logits() -> None:
    logits = apply(lambda _ids, logits: np.where(logits > 1, -np.inf, logits * 2), np.array([[1, 2]], dtype=np.float32))
    assert logits.tolist() == [[2, -np.inf]]


def test_a_rule_may_return_what_it_was_given_after_changing_it() -> None:
    def forbid(_ids: npt.NDArray[np.int64], logits: Logits) -> Logits:
        logits[0] = -np.inf
        return logits

    assert apply(forbid, np.ones((2, 2), dtype=np.float32)).tolist() == [[-np.inf, 1]] * 2


def test_a_rule_that_keeps_its_logits_does_not_see_them_change() -> None:
    kept = []

    def keep(_ids: npt.NDArray[np.int64], logits: Logits) -> Logits:
        kept.append(logits)
        return logits

    apply(keep, np.ones((1, 2), dtype=np.float32))[:] = 5
    assert kept[0].tolist() == [1, 1]


def test_a_rule_cannot_rewrite_what_was_said() -> None:
    def rewrite(ids: npt.NDArray[np.int64], logits: Logits) -> Logits:
        ids[0] = 0
        return logits

    with pytest.raises(ValueError, match="read-only"):
        apply(rewrite, np.ones((1, 2), dtype=np.float32))


@pytest.mark.parametrize(
    ("result", "complaint"),
    [
        (None, "None"),
        ([1.0, 2.0], "a list"),
        (1.0, "a float"),
        (np.ones((1, 2), dtype=np.float32), r"shape \(1, 2\)"),
        (np.ones(3, dtype=np.float32), r"shape \(3,\)"),
        (np.ones(2, dtype=np.int64), "array of int64"),
        (np.ones(2, dtype=np.bool_), "array of bool"),
        (np.array([1, np.nan], dtype=np.float32), "NaN"),
        (np.array([-np.inf, np.nan], dtype=np.float32), "NaN"),
        (np.array([1, np.inf], dtype=np.float32), r"\+inf"),
        (np.array([1, 1e300]), r"\+inf"),
    ],
)
def test_anything_but_logits_is_refused_with_what_to_return(result: object, complaint: str) -> None:
    def my_rule(_ids: npt.NDArray[np.int64], _logits: Logits) -> Any:
        return result

    wanted = rf"logits_processors\[1\], my_rule, returned .*{complaint}.*: return the logits.*\(2,\)"
    with pytest.raises(ConfigError, match=wanted):
        apply(my_rule, np.ones((1, 2), dtype=np.float32))


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floats_will_do(dtype: type[np.floating[Any]]) -> None:
    logits = apply(lambda _ids, logits: logits.astype(dtype) + 1, np.ones((1, 2), dtype=np.float32))
    assert logits.tolist() == [[2, 2]]


def test_a_number_too_small_for_float32_means_never() -> None:
    logits = apply(lambda _ids, _logits: np.array([1, -1e300]), np.ones((1, 2), dtype=np.float32))
    assert logits.tolist() == [[1, -np.inf]]


def test_a_rule_may_exclude_everything() -> None:
    logits = apply(lambda _ids, logits: np.full_like(logits, -np.inf), np.ones((1, 2), dtype=np.float32))
    assert np.isneginf(logits).all()
