import inspect

import pytest

import biogpt_onnx
from biogpt_onnx.runtime import errors

ERRORS = [
    error
    for _, error in inspect.getmembers(errors, inspect.isclass)
    if issubclass(error, biogpt_onnx.BioGptError) and error.__module__ == errors.__name__
]


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_that_users_may_catch_is_exported(error: type[biogpt_onnx.BioGptError]) -> None:
    assert error.__name__ in biogpt_onnx.__all__
    assert getattr(biogpt_onnx, error.__name__) is error


def test_no_error_is_missing_from_the_list() -> None:
    assert biogpt_onnx.DocumentError in ERRORS
    assert len(ERRORS) >= 8
