"""Second moments are those of the inputs that the smoothed layers get, however many are measured at a time."""

from pathlib import Path

import numpy as np
import pytest

from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.bundle_weights import BundleWeights, Values
from biogpt_onnx.quantize.calibration.observation import Observation, whole_inputs
from biogpt_onnx.quantize.calibration.static_scales import scale_sequences
from biogpt_onnx.quantize.rounding.input_moments import InputMoments
from biogpt_onnx.quantize.smoothing.smoothing import Scaling
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.bundle.linear_layers import linear_shapes
from makers.checkpoints import tiny_architecture, write_huggingface

TEXTS = ["Aspirin inhibits platelets. " * 30, "Insulin lowers glucose in patients with diabetes. " * 30] * 6


def moments(bundle: Path, *, smoothing: dict[str, Scaling] | None = None, most_bytes: int = 1 << 30) -> InputMoments:
    architecture = read_manifest(bundle).architecture
    return InputMoments(
        bundle,
        architecture,
        BundleWeights(bundle),
        smoothing=smoothing or {},
        texts=TEXTS,
        most_bytes=most_bytes,
    )


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("moments")
    checkpoint = write_huggingface(folder / "checkpoint", tiny_architecture(num_layers=3))
    export_bundle(open_checkpoint(checkpoint), folder / "bundle")
    return folder / "bundle"


@pytest.fixture(scope="module")
def expected(tiny: Path) -> dict[str, Values]:
    architecture = read_manifest(tiny).architecture
    found: dict[str, Values] = {}
    observation = Observation(architecture, BundleWeights(tiny), whole_inputs)
    for inputs in observation.passes(scale_sequences(tiny, architecture, TEXTS)):
        for layer, x in inputs.items():
            found[layer] = found.get(layer, np.float32(0)) + x.T @ x
    return found


@pytest.mark.parametrize("most_bytes", [1 << 30, 1 << 15, 1])
def test_each_layer_has_the_moments_of_its_inputs(tiny: Path, expected: dict[str, Values], most_bytes: int) -> None:
    found = moments(tiny, most_bytes=most_bytes)
    layers = list(linear_shapes(read_manifest(tiny).architecture))
    assert layers == list(expected)
    for layer in layers:
        of_layer = found.take(layer)
        assert np.allclose(of_layer, expected[layer], rtol=1e-4, atol=1e-3 * np.abs(expected[layer]).max()), layer


def test_a_layer_that_is_asked_for_out_of_turn_is_measured_anew(tiny: Path, expected: dict[str, Values]) -> None:
    found = moments(tiny, most_bytes=1)
    first, *_, last = expected
    for layer in (last, first, first):
        assert np.allclose(found.take(layer), expected[layer], rtol=1e-4, atol=1e-3 * np.abs(expected[layer]).max())


def test_moments_are_those_behind_the_smoothing(tiny: Path, expected: dict[str, Values]) -> None:
    layer = next(layer for layer in expected if layer.endswith("fc1"))
    factors = np.exp2(np.arange(len(expected[layer])) % 3).astype(np.float32)
    found = moments(tiny, smoothing={f"{layer}.weight": Scaling(columns=factors)}).take(layer)
    smooth = expected[layer] / np.outer(factors, factors)
    assert np.allclose(found, smooth, rtol=1e-4, atol=1e-3 * np.abs(smooth).max())
