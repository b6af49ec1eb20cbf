"""Recipes: the ways to make a smaller bundle of a float32 one, by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import onnx_ir as ir

from biogpt_onnx.export.graph.decoder import TOKEN_EMBEDDING, UNTIED_HEAD
from biogpt_onnx.quantize.packing.blocks import Blocks
from biogpt_onnx.quantize.packing.layer_packing import LayerPacking, is_4_bits, precision_of
from biogpt_onnx.quantize.packing.rows import Rows
from biogpt_onnx.runtime.bundle import CACHE_TYPE, ClassificationHead
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.bundle.linear_layers import linear_shapes
from biogpt_onnx.runtime.errors import ConfigError

EMBEDDING = TOKEN_EMBEDDING.removesuffix(".weight")
HEAD = UNTIED_HEAD.removesuffix(".weight")


FLOAT32_CACHE = "float32"
CACHES = (FLOAT32_CACHE, CACHE_TYPE)
"""Types of the cache that recipes which compute in float32 may have."""

NEAREST, GPTQ = "nearest", "gptq"
ROUNDINGS = (NEAREST, GPTQ)
"""Ways in which weights of 4 bits are rounded."""

BLOCK_SIZE = 128
"""Number of 4-bit weights that share a scale in the recipes themselves."""

BLOCK_SIZES = (32, 64, BLOCK_SIZE)
"""Numbers of 4-bit weights that may share a scale."""


@dataclass(frozen=True)
class Recipe:
    """Storage of a bundle's weights, and the computation of its linear layers.

    Attributes:
        name: name that users call it by.
        summary: description for users, in one line.
        precision: manifest's name of the weights' precision.
        body: packing of the decoder layers' matrices; None leaves the graph to ONNX Runtime's `quantize_dynamic`, or,
            in half precision, the matrices as they are.
        table: packing of the token embedding and the output head, which share one table where the head is tied; None
            leaves it in float32.
        batch_invariant: whether a row's logits are the same, to the last bit, whatever rows are computed beside it.
        batch_invariant_with_avx512: whether they are so too on processors with AVX-512, for which ONNX Runtime has
            other kernels.
        max_perplexity_increase: largest increase of perplexity that passes the quality gate, as a share of the float32
            bundle's.
        dtype: type that the network computes in: float32, or a half-precision type, in which everything is stored too.
        overrides: packings of single linear layers, by their names in the graph, instead of `body`.
        static_scales: whether inputs of linear layers packed in rows have one scale for all rows, where calibration
            finds that it serves; otherwise each row has its own.
        cache: type of the keys and values over which sequences step on the CPU, one of `CACHES`.
        steps: packing of the decoder layers' matrices in the graph by which sequences step; None for bundles that
            step by the graph that reads.
        rounding: way in which weights of 4 bits are rounded, one of `ROUNDINGS`.
    """

    name: str
    summary: str
    precision: str
    body: LayerPacking
    table: LayerPacking = Blocks(bits=8, size=256)  # noqa: RUF009 -- it is frozen
    batch_invariant: bool = True
    batch_invariant_with_avx512: bool = True
    max_perplexity_increase: float = 0.005
    dtype: ir.DataType = ir.DataType.FLOAT
    overrides: Mapping[str, LayerPacking] = field(default_factory=dict, hash=False)
    static_scales: bool = False
    cache: str = FLOAT32_CACHE
    steps: LayerPacking = None
    rounding: str = NEAREST

    @property
    def of_steps(self) -> "Recipe | None":
        """Recipe of the graph by which sequences step; None if it is the graph that reads."""
        if self.steps is None:
            return None
        return replace(self, body=self.steps, static_scales=False, steps=None)

    @property
    def has_4_bits(self) -> bool:
        """True if the matrices of decoder layers have weights of 4 bits, in one of the graphs at least."""
        return self.block_size is not None

    @property
    def block_size(self) -> int | None:
        """Number of weights of 4 bits that share a scale; None without such weights."""
        sizes = (packing.size for packing in (self.body, self.steps) if is_4_bits(packing))
        return next(sizes, None)

    def packing(self, layer: str) -> LayerPacking:
        """Returns the packing of a linear layer, the embedding or the head; None leaves it in float32."""
        return self.table if layer in {EMBEDDING, HEAD} else self.overrides.get(layer, self.body)


def check_cache(recipe: Recipe) -> None:
    """Refuses a cache that a recipe cannot have.

    Raises:
        ConfigError: there is no such cache, or only other recipes have it.
    """
    if recipe.cache not in CACHES:
        raise ConfigError(f"cache is {recipe.cache!r}: choose one of {', '.join(CACHES)}")
    computes_otherwise = recipe.dtype != ir.DataType.FLOAT or recipe.body is None or recipe.steps is not None
    if recipe.cache != FLOAT32_CACHE and computes_otherwise:
        raise ConfigError(
            f"recipe {recipe.name} has no cache in {recipe.cache}: choose recipe int8, int8-weights or int4, or leave "
            "the cache out"
        )


def check_rounding(recipe: Recipe) -> None:
    """Refuses a rounding that a recipe cannot have.

    Raises:
        ConfigError: there is no such rounding, or the recipe has no weights of 4 bits.
    """
    if recipe.rounding not in ROUNDINGS:
        raise ConfigError(f"rounding is {recipe.rounding!r}: choose one of {', '.join(ROUNDINGS)}")
    if recipe.rounding != NEAREST and not recipe.has_4_bits:
        raise ConfigError(
            f"rounding {recipe.rounding} is for weights of 4 bits, and recipe {recipe.name} has none: choose recipe "
            "int4 or int8-int4, or leave the rounding out"
        )


def with_block_size(recipe: Recipe, size: int | None) -> Recipe:
    """Returns a recipe whose weights of 4 bits share a scale in blocks of another size.

    Args:
        recipe: recipe.
        size: one of `BLOCK_SIZES`; None for the recipe's own.

    Raises:
        ConfigError: there is no such size, or the recipe has no weights of 4 bits.
    """
    if size is None:
        return recipe
    if not recipe.has_4_bits:
        raise ConfigError(
            f"the block size is that of weights of 4 bits, and recipe {recipe.name} has none: choose recipe int4 or "
            "int8-int4, or leave the block size out"
        )
    if type(size) is not int or size not in BLOCK_SIZES:
        raise ConfigError(f"block_size is {size!r}: choose one of {', '.join(map(str, BLOCK_SIZES))}")
    return replace(recipe, body=_resized(recipe.body, size), steps=_resized(recipe.steps, size))


def check_suits(recipe: Recipe, head: ClassificationHead | None) -> None:
    """Refuses a recipe whose cache or rounding it does not have, or that is not for a bundle with such a head.

    Args:
        recipe: recipe.
        head: bundle's classification head; None for a language model.

    Raises:
        ConfigError: the recipe does not suit.
    """
    if head is not None and recipe.dtype == ir.DataType.BFLOAT16:
        raise ConfigError(
            f"recipe {recipe.name} is for GPUs alone, bundles with a classification head run on the CPU: take fp16 or "
            "int8"
        )
    check_cache(recipe)
    check_rounding(recipe)
    if head is not None and recipe.cache != FLOAT32_CACHE:
        raise ConfigError(
            f"cache {recipe.cache} is for language models, the bundle has a {head.kind} head: leave it out"
        )
    if head is not None and recipe.steps is not None:
        raise ConfigError(
            f"recipe {recipe.name} is for language models, the bundle has a {head.kind} head and never steps: take int8"
        )


def layer_precisions(architecture: Architecture, recipe: Recipe) -> dict[str, str]:
    """Returns the precision of each linear layer, the embedding and, where it is not tied, the head, by name."""
    tables = [EMBEDDING] if architecture.tied_head else [EMBEDDING, HEAD]
    return {name: precision_of(recipe.packing(name)) for name in [*tables, *linear_shapes(architecture)]}


def _resized(packing: LayerPacking, size: int) -> LayerPacking:
    return replace(packing, size=size) if is_4_bits(packing) else packing


_ALL = (
    Recipe(
        name="int8",
        summary="8-bit weights and 8-bit activations, whose scales come from calibration text: fast with prompts",
        precision="int8",
        body=Rows(bits=7),
        table=Rows(bits=7),
        static_scales=True,
    ),
    Recipe(
        name="int8-weights",
        summary="8-bit weights in blocks: the least error in the weights, and on processors with VNNI a faster step",
        precision="int8",
        body=Blocks(bits=8, size=256),
        # Rows would have to be padded to pairs, as they are for 4 bits. In 8 bits that makes a step of one row a
        # quarter slower, and speed at such steps is what this recipe is for.
        batch_invariant_with_avx512=False,
    ),
    Recipe(
        name="int4",
        summary="4-bit weights in blocks, embedding and head in 8 bits: the smallest",
        precision="int4",
        body=Blocks(bits=4, size=BLOCK_SIZE),
        max_perplexity_increase=0.05,
    ),
    Recipe(
        name="int8-int4",
        summary="prompts read as int8 reads them, steps as those of int4: the fastest, with the weights of both",
        # A step reads what one of int4 reads.
        precision="int4",
        body=Rows(bits=7),
        table=Rows(bits=7),
        static_scales=True,
        steps=Blocks(bits=4, size=BLOCK_SIZE),
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
"""Recipes by name; `auto` is not among them, because its recipe is found for each bundle."""

INTEGER_RECIPES = tuple(name for name, recipe in RECIPES.items() if recipe.dtype == ir.DataType.FLOAT)
"""Names of the recipes for CPUs; the others compute in half precision, for GPUs."""
