from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.evaluate import model_pair
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.backends.cuda.backend import CudaBackend
from biogpt_onnx.runtime.backends.cuda.session import DeviceSession
from biogpt_onnx.runtime.backends.registry import open_backend
from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.options import LoadOptions
from makers.checkpoints import tiny_architecture, write_huggingface
from makers.devices import device_session


class Elsewhere:
    """A session that says that it runs on a card, as no session with the CPU's memory does."""

    device = "cuda"

    def __init__(self, session: DeviceSession) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def test_each_engine_of_an_evaluation_says_where_its_bundle_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_bundle(open_checkpoint(write_huggingface(tmp_path / "checkpoint", tiny_architecture())), tmp_path / "fp32")
    quantize_bundle(tmp_path / "fp32", tmp_path / "fp16", RECIPES["fp16"])

    def open_on_a_device(folder: Path, manifest: Manifest, options: LoadOptions) -> Any:
        if manifest.precision == "fp16":
            return CudaBackend(Elsewhere(device_session(folder)))
        return open_backend(folder, manifest, options)

    monkeypatch.setattr(model_pair, "open_backend", open_on_a_device)
    pair = model_pair.open_pair(tmp_path / "fp16", tmp_path / "fp32")
    with pair.bundle.running() as bundle, pair.baseline.running() as baseline:
        assert (bundle.session.device, baseline.session.device) == ("cuda", "cpu")
        assert (bundle.engine.device, baseline.engine.device) == ("cuda", "cpu")
        assert len(bundle.engine.generate_ids([[2, 30, 40]], max_new_tokens=3)[0].token_ids) <= 3
