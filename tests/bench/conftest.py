import importlib

import pytest

from makers.contenders import Scripts


@pytest.fixture
def benchmarks() -> Scripts:
    """Imports modules of the benchmarks by their names below the package."""
    return lambda name: importlib.import_module(f"benchmarks.{name}")
