import re
from pathlib import Path

import pytest

from biogpt_onnx.runtime.system import kind


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the package take this system for Windows."""
    monkeypatch.setattr(kind, "NAME", kind.WINDOWS)


@pytest.fixture
def macos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the package take this system for macOS."""
    monkeypatch.setattr(kind, "NAME", kind.MACOS)


@pytest.fixture
def known_residency() -> None:
    """Skips where the system does not say what lies in memory, as an emulator of Linux's programs does not."""
    smaps = Path("/proc/self/smaps")
    if not smaps.exists() or not re.search(r"^Rss: +[1-9]", smaps.read_text(), re.MULTILINE):
        pytest.skip("nothing shows what lies in memory")
