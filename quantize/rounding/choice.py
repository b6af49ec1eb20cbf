"""Choice of the way in which a recipe's weights are rounded."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from biogpt_onnx.quantize.bundle_weights import BundleWeights, Values
from biogpt_onnx.quantize.packing.layer_packing import is_4_bits
from biogpt_onnx.quantize.packing.packed_weights import Pack, pack_to_nearest
from biogpt_onnx.quantize.packing.protocol import Codes, Packing
from biogpt_onnx.quantize.recipes import GPTQ, Recipe
from biogpt_onnx.quantize.rounding.gptq import pack_by_gptq
from biogpt_onnx.quantize.rounding.input_moments import InputMoments
from biogpt_onnx.quantize.smoothing.smoothing import Scaling
from biogpt_onnx.runtime.bundle import Manifest


def packing_of(  # noqa: PLR0913 -- a recipe, a bundle's parts, its smoothing and the text
    recipe: Recipe,
    source: Path,
    manifest: Manifest,
    weights: BundleWeights,
    *,
    smoothing: Mapping[str, Scaling],
    texts: Sequence[str] | None,
) -> Pack:
    """Returns the way in which a recipe's weights are quantized.

    Args:
        recipe: recipe.
        source: float32 bundle's folder.
        manifest: float32 bundle's manifest.
        weights: float32 bundle's weights.
        smoothing: factors of the weights, by the weight's name.
        texts: passages to calibrate with; None for the built-in ones.
    """
    if recipe.rounding != GPTQ:
        return pack_to_nearest
    moments = InputMoments(source, manifest.architecture, weights, smoothing=smoothing, texts=texts, head=manifest.head)

    def pack(weight_name: str, packing: Packing, weight: Values) -> tuple[Codes, Values]:
        if not is_4_bits(packing):
            return packing.pack(weight)
        return pack_by_gptq(weight, moments.take(weight_name.removesuffix(".weight")), packing)

    return pack
