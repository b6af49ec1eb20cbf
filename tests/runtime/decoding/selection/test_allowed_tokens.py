import re
from collections.abc import Iterable

import numpy as np
import pytest

from biogpt_onnx import BioGPT, ConfigError
from biogpt_onnx.runtime.decoding.selection.allowed_tokens import check_allowed


@pytest.mark.parametrize(
    "tokens", [[5, 7], (5, 7), np.array([5, 7], dtype=np.int32), [np.int64(5), 7], iter([5, 7]), {5: None, 7: None}]
)
def test_ids_may_come_in_any_form(tokens: Iterable[int]) -> None:
    ids = check_allowed(tokens)
    assert ids == (5, 7)
    assert set(map(type, ids)) == {int}


def test_no_ids_are_none() -> None:
    assert check_allowed([]) == ()


@pytest.mark.parametrize("tokens", [None, 5, 5.5, "5", b"5"])
def test_what_is_no_collection_is_refused(tokens: object) -> None:
    with pytest.raises(ConfigError, match=f"allowed gave {re.escape(repr(tokens))}: give the ids"):
        check_allowed(tokens)


@pytest.mark.parametrize("token", [None, 5.5, 5.0, "5", True, np.float32(5), [5]])
def test_what_is_no_id_is_refused(token: object) -> None:
    with pytest.raises(ConfigError, match=r"allowed gave token .* which is not a whole number"):
        check_allowed([7, token])


@pytest.mark.parametrize("given", [None, 5.5, "5", [5.5], ["5"]])
@pytest.mark.parametrize("num_beams", [1, 2])
def test_a_function_that_gives_no_ids_is_an_error_of_its_caller(mini: BioGPT, given: object, num_beams: int) -> None:
    with pytest.raises(ConfigError, match="allowed gave"):
        mini.generate("Aspirin", allowed=lambda _: given, num_beams=num_beams)  # type: ignore[arg-type,return-value]
