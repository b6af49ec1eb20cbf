"""Everything of the package is where it is installed: in a checkout, and in the environment of the built wheel."""

import json
import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

SETTINGS = Path(__file__).parents[1] / "pyproject.toml"

# Packages of extras, without one of which a module may not be importable.
OPTIONAL = {
    *(
        "bioc",
        "cupy",
        "huggingface_hub",
        "lxml",
        "matplotlib",
        "ml_dtypes",
        "onnx",
        "onnx_ir",
        "optimum",
        "prometheus_client",
    ),
    *("pyarrow", "ray", "safetensors", "starlette", "torch", "transformers", "uvicorn"),
}

IMPORT_ALL = """
import importlib, json, pkgutil, sys
import biogpt_onnx

def fail(name):
    raise

missing, found = {}, []
for module in pkgutil.walk_packages(biogpt_onnx.__path__, "biogpt_onnx.", onerror=fail):
    if module.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        missing[module.name] = error.name
    found.append(module.name)
print(json.dumps([found, missing]))
"""


@pytest.fixture(scope="module")
def setuptools_settings() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(SETTINGS.read_text(encoding="utf-8"))["tool"]["setuptools"]
    return found


def test_every_module_can_be_imported(setuptools_settings: dict[str, Any]) -> None:
    run = subprocess.run([sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, check=True)
    found, missing = json.loads(run.stdout.splitlines()[-1])
    packages = set(setuptools_settings["packages"]) - {"biogpt_onnx"}
    assert packages <= set(found)
    assert {module: name for module, name in missing.items() if name.partition(".")[0] not in OPTIONAL} == {}


def test_the_files_beside_the_modules_are_there(setuptools_settings: dict[str, Any]) -> None:
    for package, patterns in setuptools_settings["package-data"].items():
        for pattern in patterns:
            folder = resources.files(package).joinpath(*Path(pattern).parts[:-1])
            names = [Path(file.name) for file in folder.iterdir()]
            assert [name for name in names if name.match(Path(pattern).name)], f"{package}: {pattern}"
