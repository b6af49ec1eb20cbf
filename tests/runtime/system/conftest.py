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
