"""What can be made of a float32 bundle: each recipe by its name."""

from dataclasses import dataclass

from biogpt_onnx.quantize.blocks import Blocks
from biogpt_onnx.quantize.rows import Rows


@dataclass(frozen=True)
class Recipe:
    """How a bundle's weights are stored and its linear layers computed.

    Attributes:
        name: what users call it.
        summary: one line for them.
        precision: what the manifest says of the weights.
        body: of the layers' matrices; None leaves the graph to ONNX Runtime's own `quantize_dynamic`.
        table: of the token embedding and the output head, which share one table where the head is tied.
        batch_invariant: whether a row's logits are the same, to the last bit, whatever rows are computed beside it.
        max_perplexity_increase: what it may cost, as a share of the float32 bundle's perplexity.
    """

    name: str
    summary: str
    precision: str
    body: Blocks | Rows | None
    table: Blocks = Blocks(bits=8, size=128)  # noqa: RUF009 -- it is frozen
    batch_invariant: bool = True
    max_perplexity_increase: float = 0.005


_ALL = (
    Recipe(
        name="int8",
        summary="8-bit weights and 8-bit activations, each row with a scale of its own: the fastest to read a prompt",
        precision="int8",
        body=Rows(),
    ),
    Recipe(
        name="int8-weights",
        summary="8-bit weights in blocks: the fastest at one token after the other in 8 bits",
        precision="int8",
        body=Blocks(bits=8, size=128),
    ),
    Recipe(
        name="int4",
        summary="4-bit weights in blocks, embedding and head in 8 bits: the smallest",
        precision="int4",
        body=Blocks(bits=4, size=32),
        table=Blocks(bits=8, size=256),
        max_perplexity_increase=0.05,
    ),
    Recipe(
        name="int8-dynamic",
        summary="what ONNX Runtime's quantize_dynamic makes: to compare with, as a row's result depends on its batch",
        precision="int8",
        body=None,
        batch_invariant=False,
    ),
)

RECIPES = {recipe.name: recipe for recipe in _ALL}
