"""The layers of a recipe that packs each its own way: their names, how precise they are and what a step reads."""

import math
from collections.abc import Collection

from biogpt_onnx.export.graph.decoder import TOKEN_EMBEDDING, UNTIED_HEAD
from biogpt_onnx.quantize.packing.blocks import Blocks
from biogpt_onnx.quantize.packing.rows import Rows
from biogpt_onnx.quantize.recipes import Recipe
from biogpt_onnx.runtime.bundle.architecture import Architecture

Packing = Blocks | Rows | None

EMBEDDING = TOKEN_EMBEDDING.removesuffix(".weight")
HEAD = UNTIED_HEAD.removesuffix(".weight")

_FLOAT_BYTES = 4


def linear_shapes(architecture: Architecture) -> dict[str, tuple[int, int]]:
    """The shape [out, in] of each linear layer's matrix by the layer's name, in the order of the network."""
    hidden_size, intermediate_size = architecture.hidden_size, architecture.intermediate_size
    shapes = {
        "attention.qkv": (3 * hidden_size, hidden_size),
        "attention.out": (hidden_size, hidden_size),
        "feed_forward.fc1": (intermediate_size, hidden_size),
        "feed_forward.fc2": (hidden_size, intermediate_size),
    }
    return {
        f"layers.{index}.{part}": shape for index in range(architecture.num_layers) for part, shape in shapes.items()
    }


def table_shape(architecture: Architecture) -> tuple[int, int]:
    """The shape [vocab, hidden] of embedding and head."""
    return architecture.vocab_size, architecture.hidden_size


def packing_of(recipe: Recipe, layer: str) -> Packing:
    """How a recipe packs a linear layer, the embedding or the head; None leaves it in float32."""
    return recipe.table if layer in {EMBEDDING, HEAD} else recipe.packing(layer)


def precision_of(packing: Packing) -> str:
    """What the manifest calls it."""
    if packing is None:
        return "fp32"
    return "int4" if packing.bits == 4 else "int8"  # noqa: PLR2004 -- bits


def layer_precisions(architecture: Architecture, recipe: Recipe) -> dict[str, str]:
    """The precision of each linear layer, the embedding and, where it has weights of its own, the head."""
    tables = [EMBEDDING] if architecture.tied_head else [EMBEDDING, HEAD]
    return {name: precision_of(packing_of(recipe, name)) for name in [*tables, *linear_shapes(architecture)]}


def packed_bytes(packing: Packing, shape: tuple[int, int]) -> int:
    """Bytes of a matrix [out, in], its scales included."""
    if packing is None:
        return _FLOAT_BYTES * math.prod(shape)
    codes, scales = packing.shapes(*shape)
    return math.prod(codes) + _FLOAT_BYTES * math.prod(scales)


def bytes_a_step(architecture: Architecture, recipe: Recipe) -> int:
    """Bytes of matrices that a step of one token reads: every linear layer's and the head's.

    Of the embedding it reads a row; biases and normalizations are less than a thousandth of the whole.
    """
    layers = sum(packed_bytes(recipe.packing(name), shape) for name, shape in linear_shapes(architecture).items())
    return layers + packed_bytes(recipe.table, table_shape(architecture))


def mixture_precision(layers: Collection[Packing], table: Packing) -> str:
    """What the manifest says of all of it: the linear layers' precision if there is but one, "mixed" otherwise."""
    precisions = {precision_of(packing) for packing in layers}
    if len(precisions) > 1 or ("fp32" in precisions and table is not None):
        return "mixed"
    return precisions.pop()
