import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from makers.contenders import Scripts

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripts]:
    """Imports scripts, as they import each other, by their files' names; afterwards they can be no more."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(BENCHMARKS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
