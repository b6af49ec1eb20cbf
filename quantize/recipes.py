"""What can be made of a float32 bundle: each recipe by its name."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import onnx_ir as ir

from biogpt_onnx.quantize.packing.blocks import Blocks
from biogpt_onnx.quantize.packing.rows import Rows


@dataclass(frozen=True)
class Recipe:
    """How a bundle's weights are stored and its linear layers computed.

    Attributes:
        name: what users call it.
        summary: one line for them.
        precision: what the manifest says of the weights.
        body: of the layers' matrices; None leaves the graph to ONNX Runtime's own `quantize_dynamic`, or, in half
            precision, the matrices as they are.
        table: of the token embedding and the output head, which share one table where the head is tied; None leaves it
            in float32.
        batch_invariant: whether a row's logits are the same, to the last bit, whatever rows are computed beside it.
        batch_invariant_with_avx512: whether they are on processors with AVX-512 too, for which ONNX Runtime has other
            kernels.
        max_perplexity_increase: what it may cost, as a share of the float32 bundle's perplexity.
        dtype: what the network computes in: float32, or half precision, in which everything is stored too.
        overrides: linear layers, by their names in the graph, that are packed otherwise than `body`; None leaves one in
            float32.
    """

    name: str
    summary: str
    precision: str
    body: Blocks | Rows | None
    table: Blocks | Rows | None = Blocks(bits=8, size=256)  # noqa: RUF009 -- it is frozen
    batch_invariant: bool = True
    batch_invariant_with_avx512: bool = True
    max_perplexity_increase: float = 0.005
    dtype: ir.DataType = ir.DataType.FLOAT
    overrides: Mapping[str, Blocks | Rows | None] = field(default_factory=dict, hash=False)

    def packing(self, layer: str) -> Blocks | Rows | None:
        """How the matrix of a linear layer is packed; None leaves it in float32."""
        return self.overrides.get(layer, self.body)


_ALL = (
    Recipe(
        name="int8",
        summary="8-bit weights and 8-bit activations, each row with a scale of its own: the fastest to read a prompt",
        precision="int8",
        body=Rows(bits=7),
        table=Rows(bits=8),
    ),
    Recipe(
        name="int8-weights",
        summary="8-bit weights in blocks: the fastest at one token after the other in 8 bits",
        precision="int8",
        body=Blocks(bits=8, size=256),
        # Rows would have to be filled up to pairs, as they are for 4 bits. In 8 bits that makes a step of one row a
        # quarter slower, and speed at such steps is what this recipe is for.
        batch_invariant_with_avx512=False,
    ),
    Recipe(
        name="int4",
        summary="4-bit weights in blocks, embedding and head in 8 bits: the smallest",
        precision="int4",
        body=Blocks(bits=4, size=128),
        max_perplexity_increase=0.05,
    ),
    Recipe(
        name="int8-dynamic",
        summary="what ONNX Runtime's quantize_dynamic makes: to compare with, as a row's result depends on its batch",
        precision="int8",
        body=None,
        batch_invariant=False,
        batch_invariant_with_avx512=False,
    ),
    Recipe(
        name="fp16",
        summary="half precision, weights and activations: for GPUs; a CPU computes it in float32",
        precision="fp16",
        body=None,
        table=None,
        dtype=ir.DataType.FLOAT16,
    ),
    Recipe(
        name="bf16",
        summary="half precision with float32's range, for GPUs alone: where fp16 overflows",
        precision="bf16",
        body=None,
        table=None,
        dtype=ir.DataType.BFLOAT16,
    ),
)

RECIPES = {recipe.name: recipe for recipe in _ALL}

INTEGER_RECIPES = tuple(name for name, recipe in RECIPES.items() if recipe.dtype == ir.DataType.FLOAT)
"""The recipes for CPUs; the others compute in half precision, for GPUs."""
