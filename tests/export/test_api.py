"""Exporting as a function: what cannot be is said before anything is written."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from biogpt_onnx import export
from biogpt_onnx.export import api, export_checkpoint
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.finite import FiniteWeights
from biogpt_onnx.runtime.errors import CheckpointError, ConfigError
from makers.checkpoints import random_tensors, tiny_architecture, write_huggingface


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"layout": "onnx"}, "layout is 'onnx': give bundle or optimum"),
        ({"layout": "optimum", "task": "hoc"}, r"task \(--task\) is recorded in bundles alone"),
    ],
)
def test_settings_that_contradict_each_other_write_nothing(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    source = write_huggingface(tmp_path / "source", tiny_architecture())
    with pytest.raises(ConfigError, match=said):
        export_checkpoint(source, tmp_path / "out", **settings)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_name_that_the_room_lacks_is_an_error_of_the_attribute() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'exprot'"):
        export.exprot  # noqa: B018 -- the error is what is asked for


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_named(tmp_path: Path, value: float) -> None:
    architecture = tiny_architecture()
    tensors = random_tensors(architecture)
    for layer in range(3):
        tensors[f"layers.{layer}.fc1.bias"][0] = value
        tensors[f"layers.{layer}.fc2.bias"][-1] = value
    weights = FiniteWeights(open_checkpoint(write_huggingface(tmp_path, architecture, tensors)))
    # Nothing was read yet, and so nothing is known.
    weights.check()
    with pytest.raises(CheckpointError, match=r"NaN or infinity in layers\.0\.fc1\.bias, .*, … \(6 in all\)"):
        weights.read_all()


def test_weights_that_are_numbers_are_read_to_the_end(tmp_path: Path) -> None:
    FiniteWeights(open_checkpoint(write_huggingface(tmp_path, tiny_architecture()))).read_all()


def test_an_export_in_optimums_layout_has_no_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Path, bool]] = []
    monkeypatch.setattr(
        api, "export_optimum", lambda _checkpoint, target, *, overwrite: asked.append((target, overwrite))
    )
    source = write_huggingface(tmp_path / "source", tiny_architecture())
    done = export_checkpoint(source, tmp_path / "out", layout="optimum", overwrite=True)
    assert asked == [(tmp_path / "out", True)]
    assert (done.source, done.manifest) == ("huggingface:source", None)


def test_without_the_packages_that_it_needs_the_error_says_what_to_install() -> None:
    program = (
        "import sys\nsys.modules['onnx_ir'] = None\nfrom biogpt_onnx import CheckpointError, export\n"
        "try:\n    export.export_checkpoint\nexcept CheckpointError as error:\n    print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert "export needs more packages" in run.stdout
    assert "biogpt-onnx[export]" in run.stdout
