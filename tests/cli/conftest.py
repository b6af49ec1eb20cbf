from pathlib import Path

import pytest

from biogpt_onnx import MemoryLimitError
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.runtime.options import LoadOptions
from conftest import MakeOnce
from makers.checkpoints import lively_tensors, tiny_architecture, write_huggingface


@pytest.fixture(scope="session")
def tiny_checkpoint(make_once: MakeOnce) -> Path:
    """A model with which whatever a command computes takes a moment. Tests must not change it."""
    architecture = tiny_architecture()
    return make_once(
        "cli-tiny-checkpoint", lambda to: write_huggingface(to, architecture, lively_tensors(architecture))
    )


@pytest.fixture(scope="session")
def tiny_bundle(tiny_checkpoint: Path, make_once: MakeOnce) -> Path:
    """The same as a bundle. Tests must not change it."""
    return make_once("cli-tiny", lambda to: export_bundle(open_checkpoint(tiny_checkpoint), to))


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has every bundle seem too large for the memory, but where it is not to be checked."""

    def refuse(_folder: Path, _manifest: object, options: LoadOptions) -> None:
        if options.check_memory:
            raise MemoryLimitError("there is no room")

    monkeypatch.setattr("biogpt_onnx.runtime.backends.cpu.opening.check_room_for", refuse)
