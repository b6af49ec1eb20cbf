"""Export of a checkpoint as a float32 bundle."""

import dataclasses
import importlib.metadata
from pathlib import Path

import onnx
import onnx_ir as ir

from biogpt_onnx._version import __version__
from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.checkpoint.task import recognised_task
from biogpt_onnx.export.finite import FiniteWeights
from biogpt_onnx.export.graph.causal_lm import (
    CacheScaleTensors,
    build_causal_lm,
    build_mixed_graph,
    build_ragged_graph,
    tensor_specs,
)
from biogpt_onnx.export.graph.decoder import LayerChoices
from biogpt_onnx.export.graph.weights import attach_weights
from biogpt_onnx.export.huggingface_files import write_huggingface_files
from biogpt_onnx.export.lineage import checkpoint_record
from biogpt_onnx.reporting.progress import Progress
from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.bundle import GraphSpec, Manifest
from biogpt_onnx.runtime.bundle.writer import write_bundle
from biogpt_onnx.runtime.errors import CheckpointError

# Memory is mapped by the page: weights that begin on a page can be used where they lie in the file.
_PAGE_BYTES = 4096


def export_bundle(
    checkpoint: Checkpoint,
    target: Path,
    *,
    task: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Manifest:
    """Writes a checkpoint as a float32 bundle.

    Weights pass through memory one at a time, whatever the model's size.

    Args:
        checkpoint: checkpoint that `open_checkpoint` opened.
        target: bundle's folder; it appears when everything is written.
        task: name of the task that the checkpoint was fine-tuned for; by default the one that its name or form
            tells.
        overwrite: whether a bundle at `target` is replaced.
        progress: called after each weight.

    Returns:
        The bundle's manifest.

    Raises:
        BundleError: something else lies at `target`, or it cannot be written.
        CheckpointError: a weight cannot be read, or holds NaN or infinity, or a task is given for a checkpoint with a
            classification head.
    """
    architecture, head = checkpoint.architecture, checkpoint.head
    if head is not None and task is not None:
        raise CheckpointError(
            f"the checkpoint has a {head.kind} head, task {task} is one of language models: leave the task out"
        )
    if head is None and task is None:
        task = recognised_task(checkpoint.source, architecture.soft_prompt_size)
    choices = LayerChoices.fp32(architecture)
    model = build_causal_lm(architecture, choices, head)
    weights = FiniteWeights(checkpoint)
    attach_weights(model, architecture, weights.tensors, head)
    manifest = Manifest(
        precision="fp32",
        recipe=None,
        architecture=architecture,
        inputs=tensor_specs(model.graph.inputs),
        outputs=tensor_specs(model.graph.outputs),
        source=checkpoint.source,
        tools={"biogpt-onnx": __version__} | {name: importlib.metadata.version(name) for name in ("onnx", "onnx-ir")},
        files={},
        task=task,
        format_version=bundle.FORMAT_VERSION if head is None else bundle.HEAD_FORMAT_VERSION,
        head=head,
        end_token_ids=checkpoint.generation.end_token_ids,
        generation=dict(checkpoint.generation.settings) or None,
        notes=checkpoint.notes,
        lineage={"checkpoint": checkpoint_record(checkpoint.files)},
    )
    with write_bundle(target, overwrite=overwrite) as writer:
        write_huggingface_files(checkpoint, writer.folder)
        save_model(model, writer.folder / bundle.MODEL_FILE, progress)
        weights.check()
        if head is None:
            manifest = with_graphs_for_batches(manifest, choices, writer.folder)
        return writer.finish(manifest)


def save_model(model: ir.Model, path: Path, progress: Progress | None = None) -> None:
    """Writes a graph to `path` with its weights in one file beside it, and has ONNX check it.

    Args:
        model: graph whose parameters have values.
        path: file of the graph.
        progress: called after each weight.
    """
    report = progress or (lambda _done, _total: None)
    ir.save(
        model,
        path,
        external_data=bundle.WEIGHTS_FILE,
        alignment=_PAGE_BYTES,
        callback=lambda _tensor, info: report(info.index + 1, info.total),
    )
    # By path, because a model beyond 2 GB cannot be handed over in memory.
    onnx.checker.check_model(path, full_check=False)


def with_graphs_for_batches(
    manifest: Manifest, choices: LayerChoices, folder: Path, cache_scales: CacheScaleTensors | None = None
) -> Manifest:
    """Writes a bundle's mixed and its ragged graph beside its first graph, whose weights they share.

    Args:
        manifest: bundle's manifest so far.
        choices: layers that the first graph is built of.
        folder: bundle's folder, with the first graph and its weights in it.
        cache_scales: scales of the steps' cache in 8 bits, in a file in the folder; None without such a cache.

    Returns:
        The manifest with the two graphs' inputs and outputs.
    """
    mixed = build_mixed_graph(manifest.architecture, choices, cache_scales)
    manifest = dataclasses.replace(manifest, mixed=save_second_graph(mixed, folder / bundle.MIXED_MODEL_FILE))
    if cache_scales is not None:
        # Rows whose cache is quantized are read one by one, and are only stepped together.
        return manifest
    return with_ragged_graph(manifest, choices, folder)


def with_ragged_graph(manifest: Manifest, choices: LayerChoices, folder: Path) -> Manifest:
    """Writes a bundle's ragged graph beside its first graph, whose weights they share; returns the manifest with it.

    Args:
        manifest: bundle's manifest so far.
        choices: layers that the first graph is built of.
        folder: bundle's folder, with the first graph and its weights in it.
    """
    ragged = build_ragged_graph(manifest.architecture, choices)
    return dataclasses.replace(manifest, ragged=save_second_graph(ragged, folder / bundle.RAGGED_MODEL_FILE))


def save_second_graph(model: ir.Model, path: Path) -> GraphSpec:
    """Writes a further graph of a bundle, and has ONNX check it; its parameters are weights of the first graph.

    Args:
        model: graph whose parameters have no values, and the names that they have in the first graph.
        path: file of the graph, in the bundle's folder, which holds the first graph and its weights.

    Returns:
        The graph's inputs and outputs.
    """
    written = ir.load(path.with_name(bundle.MODEL_FILE)).graph.initializers
    for name, parameter in model.graph.initializers.items():
        if parameter.const_value is None:
            parameter.const_value = written[name].const_value
    ir.save(model, path)
    onnx.checker.check_model(path, full_check=False)
    return GraphSpec(tensor_specs(model.graph.inputs), tensor_specs(model.graph.outputs))
