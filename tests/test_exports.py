import ast
import inspect
import subprocess
import sys
from pathlib import Path

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


def test_every_public_name_can_be_had_and_is_what_type_checkers_take_it_for() -> None:
    """The names are imported when they are asked for, from a table beside the imports that type checkers read."""
    tree = ast.parse(Path(biogpt_onnx.__file__).read_text(encoding="utf-8"))
    checked = next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    imported = {
        name.name: f"{node.module}" for node in checked.body if isinstance(node, ast.ImportFrom) for name in node.names
    }
    table = {name: f"biogpt_onnx.{module}" for module, names in vars(biogpt_onnx)["_MODULES"].items() for name in names}
    assert table == imported
    assert {*table, "__version__"} == set(biogpt_onnx.__all__)
    assert all(getattr(biogpt_onnx, name) is not None for name in biogpt_onnx.__all__)


@pytest.mark.parametrize("name", ["generate", "runtme", "_private"])
def test_a_name_that_is_none_of_the_packages_is_an_error_that_names_it(name: str) -> None:
    with pytest.raises(AttributeError, match=f"'biogpt_onnx' has no attribute '{name}'"):
        getattr(biogpt_onnx, name)


def test_completion_shows_names_that_are_not_imported_yet() -> None:
    program = "import biogpt_onnx; print(*dir(biogpt_onnx))"
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert set(biogpt_onnx.__all__) <= set(run.stdout.split())
