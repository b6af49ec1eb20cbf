"""Quantization of a bundle by a recipe: calibrate, smooth, build the graph with packed weights, save, record."""

import dataclasses
import importlib.metadata
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx_ir as ir

from biogpt_onnx._version import __version__
from biogpt_onnx.export.exporter import save_model, with_graphs_for_batches, with_ragged_graph
from biogpt_onnx.export.graph.causal_lm import CacheScaleTensors, build_causal_lm
from biogpt_onnx.quantize.bundle_weights import BundleWeights
from biogpt_onnx.quantize.calibration.cache_scales import calibrate_cache, write_cache_scales
from biogpt_onnx.quantize.calibration.calibrate import calibrate
from biogpt_onnx.quantize.calibration.static_scales import StaticScales
from biogpt_onnx.quantize.dynamic import save_dynamic
from biogpt_onnx.quantize.half import half_model, save_causal_graph
from biogpt_onnx.quantize.layer_choices import layer_choices
from biogpt_onnx.quantize.manifests import (
    with_activations,
    with_calibration,
    with_graph,
    with_packing,
    with_quantized_cache,
    with_steps,
)
from biogpt_onnx.quantize.packing.packed_weights import PackedWeights
from biogpt_onnx.quantize.packing.rows import Rows
from biogpt_onnx.quantize.recipes import Recipe, check_suits, layer_precisions
from biogpt_onnx.quantize.rounding.choice import packing_of
from biogpt_onnx.quantize.steps_graph import SUFFIX as STEPS_SUFFIX
from biogpt_onnx.quantize.steps_graph import StepsGraph
from biogpt_onnx.reporting.progress import Progress
from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.bundle import Manifest, check_files, parse_manifest, read_manifest_bytes
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.bundle.digest import digest_of
from biogpt_onnx.runtime.bundle.target import refuse_inputs
from biogpt_onnx.runtime.bundle.writer import BundleWriter, write_bundle
from biogpt_onnx.runtime.errors import BundleError
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
    check_suits(recipe, manifest.head)
    weights = BundleWeights(source)
    begin = _Source(source, manifest, weights, texts)
    with write_bundle(target, overwrite=overwrite, inputs=(source,)) as writer:
        weights.check_finite()
        if recipe.dtype != ir.DataType.FLOAT:
            manifest = _write_half(writer.folder, begin, recipe, progress)
        elif recipe.body is None:
            save_dynamic(source, writer.folder / bundle.MODEL_FILE, progress, head=manifest.head)
        else:
            manifest = _write_packed(writer.folder, begin, recipe, progress, check_memory=check_memory)
        return finish_bundle(writer, source, manifest, recipe)


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


@dataclass(frozen=True)
class _Source:
    """The float32 bundle that is made smaller, and the text to calibrate with; None for the built-in one."""

    folder: Path
    manifest: Manifest
    weights: BundleWeights
    texts: Sequence[str] | None


def _write_half(folder: Path, source: _Source, recipe: Recipe, progress: Progress | None) -> Manifest:
    """Writes the graphs of a recipe of half precision, and returns the manifest with them."""
    architecture = source.manifest.architecture
    model = half_model(architecture, source.weights.read, recipe.dtype, source.manifest.head)
    save_model(model, folder / bundle.MODEL_FILE, progress)
    manifest = with_graph(source.manifest, model)
    if manifest.head is not None:
        return manifest
    return dataclasses.replace(manifest, causal=save_causal_graph(architecture, recipe.dtype, folder))


def _write_packed(
    folder: Path, source: _Source, recipe: Recipe, progress: Progress | None, *, check_memory: bool
) -> Manifest:
    """Writes the graphs of a recipe that packs weights, and returns the manifest with them."""
    manifest, texts = source.manifest, source.texts
    architecture = manifest.architecture
    packing = recipe.body if isinstance(recipe.body, Rows) and recipe.static_scales else None
    calibration = calibrate(source.folder, manifest, source.weights, texts, packing)
    scales = None
    if recipe.cache == bundle.CACHE_TYPE:
        found = calibrate_cache(source.folder, manifest, calibration.smoothing, texts, check_memory=check_memory)
        scales = write_cache_scales(folder, found)
        calibration = dataclasses.replace(calibration, read=found.centered(architecture, calibration.read))
        manifest = with_quantized_cache(manifest, found)
    packed = PackedWeights()
    model = build_causal_lm(
        architecture, layer_choices(architecture, recipe, packed, calibration.static), manifest.head
    )
    steps = _steps_graph(architecture, recipe, packed, model)
    pack = packing_of(recipe, source.folder, manifest, source.weights, smoothing=calibration.smoothing, texts=texts)
    packed.attach(model, calibration.read, pack)
    save_model(model, folder / bundle.MODEL_FILE, progress)
    manifest = with_activations(with_graph(manifest, model), recipe, calibration.static)
    if steps is not None:
        manifest = with_steps(manifest, steps.save(folder))
    manifest = with_packed_graphs(manifest, recipe, folder, calibration.static, scales)
    return with_packing(with_calibration(manifest, texts), recipe)


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
