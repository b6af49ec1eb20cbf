"""The layers that a recipe builds a graph of."""

import dataclasses
from functools import partial

from biogpt_onnx.export.graph.builder import GraphBuilder
from biogpt_onnx.export.graph.decoder import LayerChoices
from biogpt_onnx.export.graph.layers import Layer, Linear
from biogpt_onnx.quantize.calibration.static_scales import StaticScales
from biogpt_onnx.quantize.packing.blocks import Blocks
from biogpt_onnx.quantize.packing.layer_packing import is_4_bits
from biogpt_onnx.quantize.packing.layers import BlockTable, PackedHead, PackedLinear, RowTable
from biogpt_onnx.quantize.packing.packed_weights import PackedWeights
from biogpt_onnx.quantize.packing.rows import Rows
from biogpt_onnx.quantize.recipes import Recipe
from biogpt_onnx.runtime.bundle.architecture import Architecture


def layer_choices(
    architecture: Architecture, recipe: Recipe, packed: PackedWeights, static: StaticScales, suffix: str = ""
) -> LayerChoices:
    """Returns the layers that a recipe builds the graph of.

    Args:
        architecture: network's shape.
        recipe: recipe that packs weights.
        packed: gets the weights that these layers declare.
        static: scales of the inputs of weights packed in rows.
        suffix: what the names of the linear layers' packed weights have behind the weight's.
    """
    choices = LayerChoices.fp32(architecture)
    table, head = choices.embedding, choices.head
    if isinstance(recipe.table, Rows):
        table = partial(RowTable, packed=packed, packing=recipe.table)
    elif isinstance(recipe.table, Blocks):
        table = partial(BlockTable, packed=packed, packing=recipe.table)
    if recipe.table is not None:
        head = partial(PackedHead, packed=packed, packing=recipe.table)
    choices = dataclasses.replace(choices, embedding=table, head=head)
    # ONNX Runtime multiplies rows by 4-bit blocks in pairs, and adds up a single row in another order.
    four_bits = any(map(is_4_bits, (recipe.body, *recipe.overrides.values())))
    linear = partial(_linear, recipe=recipe, packed=packed, static=static, suffix=suffix)
    return dataclasses.replace(choices, linear=linear, even_rows=four_bits)


def _linear(  # noqa: PLR0913 -- a linear layer's four arguments, its packing, its scale and its weight's name
    graph: GraphBuilder,
    name: str,
    in_features: int,
    out_features: int,
    *,
    recipe: Recipe,
    packed: PackedWeights,
    static: StaticScales,
    suffix: str,
) -> Layer:
    packing = recipe.packing(name)
    if packing is None:
        return Linear(graph, name, in_features, out_features)
    scale = static.scale(name) if recipe.static_scales else None
    return PackedLinear(
        graph, name, in_features, out_features, packed=packed, packing=packing, static=scale, suffix=suffix
    )
