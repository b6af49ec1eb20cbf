"""Calibration of a float32 bundle: its weights smoothed, and the scales of its products' inputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from biogpt_onnx.quantize.bundle_weights import BundleWeights, ReadWeight
from biogpt_onnx.quantize.calibration.magnitudes import input_magnitudes
from biogpt_onnx.quantize.calibration.static_scales import StaticScales, choose_static_scales
from biogpt_onnx.quantize.data.texts import calibration_texts
from biogpt_onnx.quantize.packing.rows import Rows
from biogpt_onnx.quantize.smoothing.smoothing import Scaling, smoothed, smoothing
from biogpt_onnx.runtime.bundle import Manifest


@dataclass(frozen=True)
class Calibration:
    """What quantization takes from running the float32 bundle over text.

    Attributes:
        read: reads the smoothed weights.
        smoothing: factors that smoothing gives to the weights, by the weight's name.
        static: scales of the products' inputs, for products of weights packed in rows; none without such.
    """

    read: ReadWeight
    smoothing: Mapping[str, Scaling]
    static: StaticScales = field(default_factory=StaticScales)


def calibrate(
    source: Path,
    manifest: Manifest,
    weights: BundleWeights,
    texts: Sequence[str] | None,
    packing: Rows | None = None,
) -> Calibration:
    """Runs a float32 bundle over text.

    Args:
        source: bundle's folder.
        manifest: bundle's manifest.
        weights: bundle's weights.
        texts: passages to calibrate with; None for the built-in ones.
        packing: packing of the linear layers for which scales are chosen; None to choose none.

    Raises:
        ConfigError: there is no text to calibrate with.
        BuiltInTextError: the built-in text is missing or damaged.
    """
    architecture = manifest.architecture
    to_smooth = calibration_texts() if texts is None else texts
    magnitudes = input_magnitudes(source, architecture, weights, to_smooth, manifest.head)
    factors = smoothing(architecture, weights.read, magnitudes)
    read = smoothed(weights.read, factors)
    if packing is None:
        return Calibration(read, factors)
    static = choose_static_scales(
        source,
        architecture,
        weights,
        smoothing=factors,
        packing=packing,
        magnitudes=magnitudes,
        texts=texts,
        head=manifest.head,
    )
    return Calibration(read, factors, static)
