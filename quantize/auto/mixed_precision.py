"""Mixed-precision recipes, which pack each linear layer in its own way: their precision and what a step reads."""

from collections.abc import Collection

from biogpt_onnx.quantize.packing.layer_packing import LayerPacking, packed_bytes, precision_of
from biogpt_onnx.quantize.recipes import Recipe
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.bundle.linear_layers import linear_shapes


def table_shape(architecture: Architecture) -> tuple[int, int]:
    """Returns the shape [vocab, hidden] of embedding and head."""
    return architecture.vocab_size, architecture.hidden_size


def bytes_a_step(architecture: Architecture, recipe: Recipe) -> int:
    """Returns the bytes of matrices that a step of one token reads: every linear layer's and the head's.

    Of the embedding it reads a row; biases and normalizations are less than a thousandth of the whole.
    """
    layers = sum(packed_bytes(recipe.packing(name), shape) for name, shape in linear_shapes(architecture).items())
    return layers + packed_bytes(recipe.table, table_shape(architecture))


def overall_precision(layers: Collection[LayerPacking], table: LayerPacking) -> str:
    """Returns the manifest's name of a recipe's precision: that of the linear layers if they have one, else "mixed".

    Args:
        layers: packings of the linear layers.
        table: packing of embedding and head; where it is packed, float32 layers are mixed with it.
    """
    precisions = {precision_of(packing) for packing in layers}
    if len(precisions) > 1 or ("fp32" in precisions and table is not None):
        return "mixed"
    return precisions.pop()
