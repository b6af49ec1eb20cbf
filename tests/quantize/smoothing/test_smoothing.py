import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle, save_model
from biogpt_onnx.export.graph.causal_lm import build_causal_lm
from biogpt_onnx.export.graph.decoder import LayerChoices
from biogpt_onnx.quantize.bundle_weights import BundleWeights
from biogpt_onnx.quantize.calibration.magnitudes import input_magnitudes
from biogpt_onnx.quantize.data.texts import calibration_texts
from biogpt_onnx.quantize.packing.packed_weights import PackedWeights
from biogpt_onnx.quantize.smoothing.smoothing import smoothed, smoothing
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import MODEL_FILE, read_manifest
from biogpt_onnx.runtime.errors import ConfigError
from makers.checkpoints import random_tensors, tiny_architecture, write_huggingface
from makers.outliers import with_outliers

ARCHITECTURE = tiny_architecture()
IDS = np.array([[2, 30, 40, 50, 60, 301, 7, 19]])


@pytest.fixture(scope="module")
def with_large_channels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny bundle, some channels of whose activations are 64 times the others."""
    folder = tmp_path_factory.mktemp("smoothing")
    tensors = with_outliers(random_tensors(ARCHITECTURE), 64)
    checkpoint = write_huggingface(folder / "checkpoint", ARCHITECTURE, tensors)
    export_bundle(open_checkpoint(checkpoint), folder / "bundle")
    return folder / "bundle"


def magnitudes_of(bundle: Path) -> dict[str, npt.NDArray[np.float32]]:
    return input_magnitudes(bundle, ARCHITECTURE, BundleWeights(bundle), calibration_texts())


def logits_of(folder: Path, bundle: Path) -> npt.NDArray[np.float32]:
    # The folder has the first graph alone.
    session = DecoderSession(folder, dataclasses.replace(read_manifest(bundle), ragged=None))
    return session.forward(IDS, session.new_cache(1, IDS.size), logits_indices=np.arange(IDS.size))


def write_smoothed(bundle: Path, folder: Path) -> Path:
    """The float32 graph with smoothed weights."""
    weights = BundleWeights(bundle)
    model = build_causal_lm(ARCHITECTURE, LayerChoices.fp32(ARCHITECTURE))
    scalings = smoothing(ARCHITECTURE, weights.read, magnitudes_of(bundle))
    PackedWeights().attach(model, smoothed(weights.read, scalings))
    save_model(model, folder / MODEL_FILE)
    return folder


def test_smoothing_changes_nothing_that_the_model_says(with_large_channels: Path, tmp_path: Path) -> None:
    found = logits_of(write_smoothed(with_large_channels, tmp_path), with_large_channels)
    np.testing.assert_allclose(found, logits_of(with_large_channels, with_large_channels), atol=1e-4)


def test_smoothing_brings_outliers_down(with_large_channels: Path, tmp_path: Path) -> None:
    before = magnitudes_of(with_large_channels)
    smooth = write_smoothed(with_large_channels, tmp_path)
    for name in ("config.json", "vocab.json", "merges.txt"):
        (tmp_path / name).write_bytes((with_large_channels / name).read_bytes())
    after = magnitudes_of(smooth)
    for layer in ("layers.0.attention.qkv", "layers.1.attention.out", "layers.2.feed_forward.fc1"):
        assert before[layer].max() / np.median(before[layer]) > 30, layer
        assert after[layer].max() / np.median(after[layer]) < 8, layer


def test_magnitudes_are_those_of_each_layers_input(with_large_channels: Path) -> None:
    magnitudes = magnitudes_of(with_large_channels)
    assert len(magnitudes) == 4 * ARCHITECTURE.num_layers
    assert magnitudes["layers.0.attention.qkv"].shape == (72,)
    assert magnitudes["layers.2.feed_forward.fc2"].shape == (97,)
    assert all((values >= 0).all() and values.any() for values in magnitudes.values())


def test_more_text_never_makes_a_magnitude_smaller(with_large_channels: Path) -> None:
    weights = BundleWeights(with_large_channels)
    some = input_magnitudes(with_large_channels, ARCHITECTURE, weights, ["Aspirin"])
    more = input_magnitudes(with_large_channels, ARCHITECTURE, weights, ["Aspirin", "", "Insulin in the liver"])
    assert all((more[layer] >= some[layer]).all() for layer in some)
    assert any((more[layer] > some[layer]).any() for layer in some)


def test_a_feature_that_is_never_there_or_that_nothing_takes_is_left_alone(tmp_path: Path) -> None:
    tensors = random_tensors(ARCHITECTURE)
    tensors["layers.0.fc1.weight"][:, 3] = 0
    for kind in ("weight", "bias"):
        tensors[f"layers.1.final_layer_norm.{kind}"][5] = 0
    export_bundle(
        open_checkpoint(write_huggingface(tmp_path / "checkpoint", ARCHITECTURE, tensors)), tmp_path / "bundle"
    )
    weights = BundleWeights(tmp_path / "bundle")
    scalings = smoothing(ARCHITECTURE, weights.read, magnitudes_of(tmp_path / "bundle"))
    for layer, feature in ((0, 3), (1, 5)):
        columns = scalings[f"layers.{layer}.feed_forward.fc1.weight"].columns
        assert columns is not None
        assert columns[feature] == 1
        assert np.isfinite(columns).all()


@pytest.mark.parametrize("texts", [[], ["", "  "]])
def test_calibration_without_text_is_refused(with_large_channels: Path, texts: list[str]) -> None:
    with pytest.raises(ConfigError, match="no text"):
        input_magnitudes(with_large_channels, ARCHITECTURE, BundleWeights(with_large_channels), texts)
