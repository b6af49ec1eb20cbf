import os
import sys
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _nothing_but_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hides the checkout from the commands that a wheelhouse installs, by the Python that runs the tests."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
