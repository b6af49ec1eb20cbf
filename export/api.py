"""The public function of this package: a checkpoint in whatever form, exported in one call."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.export.optimum import export_optimum
from biogpt_onnx.reporting.progress import Progress
from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.bundle.target import check_target, refuse_inputs
from biogpt_onnx.runtime.errors import ConfigError

Layout = Literal["bundle", "optimum"]
"""The forms of an export: a bundle for this package's runtime, or a folder for optimum's `ORTModelForCausalLM`."""


@dataclass(frozen=True)
class Export:
    """What `export_checkpoint` wrote.

    Attributes:
        source: Name of the checkpoint, as the manifest records it.
        notes: What was done to the checkpoint or left out of it, in words.
        manifest: The bundle's manifest; None in the layout of optimum, which has none.
    """

    source: str
    notes: tuple[str, ...]
    manifest: Manifest | None


def export_checkpoint(  # noqa: PLR0913 -- what users say of checkpoints in several forms
    source: str | Path,
    output: str | Path,
    *,
    layout: Layout = "bundle",
    task: str | None = None,
    overwrite: bool = False,
    revision: str | None = None,
    vocabulary: str | Path | None = None,
    seed: int = 0,
    adapter: str | Path | None = None,
    no_adapter: bool = False,
    num_heads: int | None = None,
    scale_embedding: bool | None = None,
    ignore_generation_config: bool = False,
    progress: Progress | None = None,
) -> Export:
    """Exports a checkpoint. The output appears when everything is written, and not at all if something fails.

    Args:
        source: Folder in Hugging Face or fairseq form, a fairseq file, a hub id, "preset:biogpt" or
            "preset:biogpt-large".
        output: Folder to make.
        layout: "bundle", or "optimum" for a folder that optimum loads.
        task: Name of the task that the checkpoint was fine-tuned for, if neither its name nor its form tells; for
            bundles alone.
        overwrite: Replaces the bundle that stands at `output`.
        revision: Branch, tag or commit of a hub id.
        vocabulary: Folder with the vocabulary, if it is not with the weights.
        seed: Seed of a preset's random weights.
        adapter: Folder of an adapter of PEFT to merge into the weights.
        no_adapter: Leaves an adapter out that lies beside the weights.
        num_heads: Number of attention heads, for a fairseq file that does not say it.
        scale_embedding: False for a fairseq file that does not say that embeddings are not scaled.
        ignore_generation_config: Leaves the decoding out that the authors chose; end tokens are kept.
        progress: Called after each weight.

    Raises:
        BundleError: `output` is something else, or is or holds the source, or cannot be written.
        CheckpointError: The checkpoint cannot be used, or a package that it takes is not installed.
        ConfigError: A setting is bad.
    """
    if layout not in ("bundle", "optimum"):
        raise ConfigError(f"layout is {layout!r}: give bundle or optimum")
    if task and layout == "optimum":
        raise ConfigError("task (--task) is recorded in bundles alone: leave it out, or leave out --layout optimum")
    target = Path(output)
    folder, adapter_folder = (None if each is None else Path(each) for each in (vocabulary, adapter))
    refuse_inputs(target, (Path(source), folder))
    check_target(target, overwrite=overwrite)
    checkpoint = open_checkpoint(
        source,
        revision=revision,
        vocabulary=folder,
        seed=seed,
        adapter=adapter_folder,
        no_adapter=no_adapter,
        num_heads=num_heads,
        scale_embedding=scale_embedding,
        ignore_generation_config=ignore_generation_config,
    )
    if layout == "optimum":
        export_optimum(checkpoint, target, overwrite=overwrite)
        return Export(checkpoint.source, checkpoint.notes, None)
    manifest = export_bundle(checkpoint, target, task=task, overwrite=overwrite, progress=progress)
    return Export(checkpoint.source, manifest.notes, manifest)
