"""Errors for memory that the system refused, by whatever part of a computation."""

import numpy as np
import pytest

from biogpt_onnx import BundleError, DeviceMemoryError, MemoryLimitError
from biogpt_onnx.runtime.memory.shortage import as_limit, is_shortage, shortage_as_limit


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("Error in execution: bfc_arena.cc:360 Failed to allocate memory for requested buffer of size 9"),
        RuntimeError("Exception during initialization: std::bad_alloc"),
        RuntimeError("bad allocation"),
    ],
)
def test_a_shortage_is_one_clear_error_whoever_found_it(error: Exception) -> None:
    assert is_shortage(error)
    with (
        pytest.raises(MemoryLimitError, match="no memory for a pass of the model: shorten the prompt") as caught,
        shortage_as_limit(),
    ):
        raise error
    assert caught.value.__cause__ is error


def test_numpys_error_is_a_shortage() -> None:
    with pytest.raises(MemoryLimitError), shortage_as_limit():
        np.empty(2**62, dtype=np.uint8)


def test_errors_that_say_what_lacks_stay_as_they_are() -> None:
    for error in (MemoryLimitError("a cache does not fit"), DeviceMemoryError("full")):
        assert is_shortage(error)
        assert as_limit(error) is error


def test_other_errors_are_no_shortage() -> None:
    for error in (RuntimeError("a fault"), BundleError("'out of memory' is no recipe")):
        assert not is_shortage(error)
        with pytest.raises(type(error), match=str(error)), shortage_as_limit():
            raise error
