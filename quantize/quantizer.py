"""Quantization of a bundle by a recipe: calibrate, smooth, build the graph with packed weights, save, record."""

import dataclasses
import importlib.metadata
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import onnx_ir as ir

from biogpt_onnx._version import __version__
from biogpt_onnx.export.exporter import save_model, with_graphs_for_batches, with_ragged_graph
from biogpt_onnx.export.graph.builder import GraphBuilder
from biogpt_onnx.export.graph.causal_lm import CacheScaleTensors, build_causal_lm, tensor_specs
from biogpt_onnx.export.graph.decoder import LayerChoices
from biogpt_onnx.export.graph.layers import Layer, Linear
from biogpt_onnx.quantize.bundle_weights import BundleWeights
from biogpt_onnx.quantize.calibration.cache_scales import CacheScales, calibrate_cache, write_cache_scales
from biogpt_onnx.quantize.calibration.calibrate import calibrate
from biogpt_onnx.quantize.calibration.static_scales import StaticScales, scale_texts
from biogpt_onnx.quantize.data.texts import texts_digest
from biogpt_onnx.quantize.dynamic import save_dynamic
from biogpt_onnx.quantize.half import half_model, save_causal_graph
from biogpt_onnx.quantize.packing.blocks import Blocks
from biogpt_onnx.quantize.packing.layer_packing import precision_of
from biogpt_onnx.quantize.packing.layers import BlockTable, PackedHead, PackedLinear, RowTable
from biogpt_onnx.quantize.packing.packed_weights import PackedWeights
from biogpt_onnx.quantize.packing.rows import Rows
from biogpt_onnx.quantize.recipes import FLOAT32_CACHE, NEAREST, Recipe, check_cache, check_rounding, layer_precisions
from biogpt_onnx.quantize.rounding.choice import packing_of
from biogpt_onnx.quantize.steps_graph import SUFFIX as STEPS_SUFFIX
from biogpt_onnx.quantize.steps_graph import StepsGraph
from biogpt_onnx.reporting.progress import Progress
from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.bundle import GraphSpec, Manifest, check_files, parse_manifest, read_manifest_bytes
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.bundle.digest import digest_of
from biogpt_onnx.runtime.bundle.target import refuse_inputs
from biogpt_onnx.runtime.bundle.writer import BundleWriter, write_bundle
from biogpt_onnx.runtime.errors import BundleError, ConfigError
from biogpt_onnx.runtime.ort.providers import import_onnxruntime

_COPIED = (bundle.CONFIG_FILE, bundle.VOCAB_FILE, bundle.MERGES_FILE, bundle.TOKENIZER_CONFIG_FILE)
_TOOLS = ("numpy", "onnx", "onnx-ir")


def quantize_bundle(  # noqa: PLR0913 -- source, target, recipe, and four settings
    source: Path,
    target: Path,
    recipe: Recipe,
    *,
    texts: Sequence[str] | None = None,
    overwrite: bool = False,
    check_memory: bool = True,
    progress: Progress | None = None,
) -> Manifest:
    """Writes a float32 bundle in a smaller precision, as a bundle that the runtime loads like any other.

    Args:
        source: float32 bundle.
        target: new bundle's folder; it appears when everything is written.
        recipe: recipe, such as one of `RECIPES`.
        texts: passages to calibrate with, such as prompts that the model will see; by default the built-in ones.
        overwrite: whether a bundle at `target` is replaced.
        check_memory: False to calibrate a cache even where memory seems too small; see `LoadOptions`.
        progress: called after each weight.

    Returns:
        The new bundle's manifest.

    Raises:
        BundleError: the source is missing, damaged, quantized already or holds NaN or infinity; or something else lies
            at `target`, or it cannot be written.
        ConfigError: there is no text to calibrate with, or the recipe or its cache does not suit the bundle.
        BuiltInTextError: the built-in text is missing or damaged.
    """
    manifest = read_source(source, target)
    if manifest.head is not None and recipe.dtype == ir.DataType.BFLOAT16:
        raise ConfigError(
            f"recipe {recipe.name} is for GPUs alone, bundles with a classification head run on the CPU: take fp16 or "
            "int8"
        )
    check_cache(recipe)
    check_rounding(recipe)
    if manifest.head is not None and recipe.cache != FLOAT32_CACHE:
        raise ConfigError(
            f"cache {recipe.cache} is for language models, the bundle has a {manifest.head.kind} head: leave it out"
        )
    if manifest.head is not None and recipe.steps is not None:
        raise ConfigError(
            f"recipe {recipe.name} is for language models, the bundle has a {manifest.head.kind} head and never steps: "
            "take int8"
        )
    weights = BundleWeights(source)
    with write_bundle(target, overwrite=overwrite, inputs=(source,)) as writer:
        weights.check_finite()
        model_path = writer.folder / bundle.MODEL_FILE
        if recipe.dtype != ir.DataType.FLOAT:
            model = half_model(manifest.architecture, weights.read, recipe.dtype, manifest.head)
            save_model(model, model_path, progress)
            manifest = with_graph(manifest, model)
            if manifest.head is None:
                causal = save_causal_graph(manifest.architecture, recipe.dtype, writer.folder)
                manifest = dataclasses.replace(manifest, causal=causal)
        elif recipe.body is None:
            save_dynamic(source, model_path, progress, head=manifest.head)
        else:
            packing = recipe.body if isinstance(recipe.body, Rows) and recipe.static_scales else None
            calibration = calibrate(source, manifest, weights, texts, packing)
            scales = None
            if recipe.cache == bundle.CACHE_TYPE:
                found = calibrate_cache(source, manifest, calibration.smoothing, texts, check_memory=check_memory)
                scales = write_cache_scales(writer.folder, found)
                centered = found.centered(manifest.architecture, calibration.read)
                calibration = dataclasses.replace(calibration, read=centered)
                manifest = with_quantized_cache(manifest, found)
            packed = PackedWeights()
            choices = layer_choices(manifest.architecture, recipe, packed, calibration.static)
            model = build_causal_lm(manifest.architecture, choices, manifest.head)
            steps = _steps_graph(manifest.architecture, recipe, packed, model)
            pack = packing_of(recipe, source, manifest, weights, smoothing=calibration.smoothing, texts=texts)
            packed.attach(model, calibration.read, pack)
            save_model(model, model_path, progress)
            manifest = with_activations(with_graph(manifest, model), recipe, calibration.static)
            if steps is not None:
                manifest = with_steps(manifest, steps.save(writer.folder))
            manifest = with_packed_graphs(manifest, recipe, writer.folder, calibration.static, scales)
            manifest = with_calibration(manifest, texts, recipe.rounding)
        return finish_bundle(writer, source, manifest, recipe)


def with_graph(manifest: Manifest, model: ir.Model) -> Manifest:
    """Returns the manifest of a float32 bundle with the inputs and outputs of the graph that is made from it.

    They differ where an earlier version wrote the float32 bundle, or where the graph computes in half precision.
    """
    return dataclasses.replace(
        manifest, inputs=tensor_specs(model.graph.inputs), outputs=tensor_specs(model.graph.outputs)
    )


def with_activations(manifest: Manifest, recipe: Recipe, static: StaticScales) -> Manifest:
    """Returns the manifest with how a recipe quantizes the inputs of its products."""
    layers = [name for name in static.products if isinstance(recipe.packing(name), Rows)]
    return dataclasses.replace(manifest, activations=static.record(layers) if layers else None)


def with_quantized_cache(manifest: Manifest, scales: CacheScales) -> Manifest:
    """Returns the manifest of a bundle whose steps have a cache in 8 bits."""
    cache = {"type": bundle.CACHE_TYPE, "tokens": scales.tokens}
    return dataclasses.replace(manifest, cache=cache, format_version=bundle.QUANTIZED_CACHE_FORMAT_VERSION)


def with_steps(manifest: Manifest, steps: GraphSpec) -> Manifest:
    """Returns the manifest of a bundle whose sequences step by a graph of their own."""
    return dataclasses.replace(manifest, steps=steps, format_version=bundle.STEPS_FORMAT_VERSION)


def with_packed_graphs(
    manifest: Manifest,
    recipe: Recipe,
    folder: Path,
    static: StaticScales,
    cache_scales: CacheScaleTensors | None = None,
) -> Manifest:
    """Writes a language model's mixed and ragged graphs beside its first one, and returns the manifest with them.

    There is no mixed graph where sequences step by a graph of their own, because steps and text then share no products.

    Args:
        manifest: manifest of the new bundle so far.
        recipe: recipe that packed the first graph's weights.
        folder: new bundle's folder, with the first graph and its weights in it.
        static: scales of the inputs of weights packed in rows.
        cache_scales: scales of the steps' cache in 8 bits; None without such a cache.
    """
    if manifest.head is not None:
        return manifest
    choices = layer_choices(manifest.architecture, recipe, PackedWeights(), static)
    if manifest.steps is not None:
        return with_ragged_graph(manifest, choices, folder)
    return with_graphs_for_batches(manifest, choices, folder, cache_scales)


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
    four_bits = "int4" in {precision_of(packing) for packing in (recipe.body, *recipe.overrides.values())}
    linear = partial(_linear, recipe=recipe, packed=packed, static=static, suffix=suffix)
    return dataclasses.replace(choices, linear=linear, even_rows=four_bits)


def read_source(source: Path, target: Path) -> Manifest:
    """Checks a bundle that is to be quantized, and returns the manifest to begin with.

    It has none of the graphs for batches, which are made anew, and the digest of the source in its lineage.

    Args:
        source: float32 bundle.
        target: new bundle's folder.

    Raises:
        BundleError: the source is missing, altered or quantized already, or the target is or holds the source.
    """
    content = read_manifest_bytes(source)
    manifest = parse_manifest(source, content)
    if manifest.precision != "fp32":
        made_by = f" by the recipe {manifest.recipe}" if manifest.recipe else ""
        raise BundleError(
            f"{source} is quantized already ({manifest.precision}{made_by}): quantize the fp32 bundle that "
            "`biogpt-onnx export` wrote"
        )
    # By their hashes, because the new bundle records this one's digest, which stands for them.
    check_files(source, manifest, contents=True)
    refuse_inputs(target, (source,))
    made_from = {"exported_by": dict(manifest.tools), "float32_bundle": digest_of(content)}
    return dataclasses.replace(manifest, mixed=None, ragged=None, lineage=dict(manifest.lineage or {}) | made_from)


def with_calibration(manifest: Manifest, texts: Sequence[str] | None, rounding: str = NEAREST) -> Manifest:
    """Returns the manifest with the text that quantization read in its lineage, and with the rounding if it read it.

    Args:
        manifest: manifest of the new bundle so far.
        texts: passages that were given; None for the built-in ones.
        rounding: way in which the weights of 4 bits are rounded.
    """
    read = scale_texts(texts)
    record = {
        "text": "built-in" if texts is None else "given",
        "passages": len(read),
        "sha256": texts_digest(read),
    }
    rounded = {} if rounding == NEAREST else {"rounding": rounding}
    lineage = dict(manifest.lineage or {}) | {"calibration": record} | rounded
    return dataclasses.replace(manifest, lineage=lineage)


def finish_bundle(writer: BundleWriter, source: Path, manifest: Manifest, recipe: Recipe) -> Manifest:
    """Copies configuration and vocabulary beside the new graph, and writes the manifest.

    Args:
        writer: writer of the new bundle, whose folder holds the graph and its weights.
        source: float32 bundle that it is made from.
        manifest: manifest of the source, with the new graph's inputs and outputs where they differ.
        recipe: recipe that made the graph.

    Returns:
        The manifest as it was written.
    """
    for name in _COPIED:
        if name in manifest.files:
            shutil.copyfile(source / name, writer.folder / name)
    made = dataclasses.replace(
        manifest,
        precision=recipe.precision,
        recipe=recipe.name,
        layer_precisions=layer_precisions(manifest.architecture, recipe) if recipe.overrides else None,
        tools=_tools(manifest),
    )
    return writer.finish(made)


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


def _steps_graph(
    architecture: Architecture, recipe: Recipe, packed: PackedWeights, first: ir.Model
) -> StepsGraph | None:
    """Returns the graph by which sequences step, whose weights are declared in the first graph; None without one."""
    if recipe.of_steps is None:
        return None
    choices = layer_choices(architecture, recipe.of_steps, packed, StaticScales(), STEPS_SUFFIX)
    return StepsGraph(architecture, choices, first)


def _tools(manifest: Manifest) -> dict[str, str]:
    wrote_it = {name: importlib.metadata.version(name) for name in _TOOLS}
    wrote_it |= {"biogpt-onnx": __version__, "onnxruntime": str(import_onnxruntime().__version__)}
    # Tools that only the export used stay on record.
    return {**manifest.tools, **wrote_it}
