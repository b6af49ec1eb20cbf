"""Pair of bundles of one model: the one that is evaluated and its baseline."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from biogpt_onnx.quantize.evaluate.report import BundleSummary
from biogpt_onnx.runtime import bundle as bundle_files
from biogpt_onnx.runtime.backends.protocol import Backend
from biogpt_onnx.runtime.backends.registry import open_backend
from biogpt_onnx.runtime.bundle import Manifest, check_files, read_manifest
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import BundleError
from biogpt_onnx.runtime.loading import open_tokenizer
from biogpt_onnx.runtime.options import Device, LoadOptions
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer


@dataclass(frozen=True)
class LoadedBundle:
    """Bundle that is ready to run.

    Attributes:
        folder: bundle's folder.
        manifest: bundle's manifest.
        session: session that runs it step by step.
        engine: engine that generates, over the same session.
    """

    folder: Path
    manifest: Manifest
    session: Backend[Any]
    engine: BioGPT

    @property
    def summary(self) -> BundleSummary:
        """Summary of the bundle for a report."""
        return BundleSummary(self.manifest.precision, self.manifest.recipe, self.manifest.num_bytes)


@dataclass(frozen=True)
class ModelPair:
    """Bundle and the baseline that it is compared with.

    Attributes:
        bundle: bundle that is evaluated.
        baseline: bundle to compare with.
        tokenizer: tokenizer of both.
    """

    bundle: LoadedBundle
    baseline: LoadedBundle
    tokenizer: BioGptTokenizer


def open_pair(
    bundle: Path,
    baseline: Path,
    *,
    device: Device = "auto",
    threads: int | None = None,
    with_head: bool = False,
) -> ModelPair:
    """Loads both bundles.

    Args:
        bundle: folder of the bundle that is evaluated.
        baseline: folder of the bundle to compare with.
        device: device that both run on; "auto" for the best one that runs each.
        threads: threads of one step; None for one a core.
        with_head: True for bundles with a classification head, False for language models.

    Raises:
        BundleError: one is missing, incomplete or damaged, they differ in architecture, vocabulary or head, or are not
            of the kind that `with_head` says.
        ProviderError: ONNX Runtime or the device is not available.
        ConfigError: a setting is bad.
    """
    manifests = [read_manifest(folder) for folder in (bundle, baseline)]
    for folder, manifest in zip((bundle, baseline), manifests, strict=True):
        check_files(folder, manifest)
        if (manifest.head is not None) != with_head:
            raise BundleError(
                f"{folder} has {'no' if with_head else 'a'} classification head, and cannot be compared with "
                f"{'a classifier' if with_head else 'a language model'}: compare bundles of one checkpoint"
            )
    if different := _differences(*manifests):
        raise BundleError(
            f"{bundle} and {baseline} are of different models ({'; '.join(different)}): name as the baseline the "
            "bundle that the other was made from"
        )
    tokenizer = open_tokenizer(baseline, manifests[1])

    def loaded(folder: Path, manifest: Manifest) -> LoadedBundle:
        backend = open_backend(folder, manifest, LoadOptions(device=device, threads=threads))
        return LoadedBundle(folder, manifest, backend, BioGPT(backend, tokenizer, manifest))

    return ModelPair(loaded(bundle, manifests[0]), loaded(baseline, manifests[1]), tokenizer)


def _differences(manifest: Manifest, baseline: Manifest) -> list[str]:
    names = [field.name for field in fields(Architecture)]
    pairs = [(name, getattr(manifest.architecture, name), getattr(baseline.architecture, name)) for name in names]
    differences = [f"{name} {ours} and {theirs}" for name, ours, theirs in pairs if ours != theirs]
    if manifest.head != baseline.head:
        differences.append("another head")
    vocabulary = (bundle_files.VOCAB_FILE, bundle_files.MERGES_FILE, bundle_files.TOKENIZER_CONFIG_FILE)
    altered = [name for name in vocabulary if manifest.files.get(name) != baseline.files.get(name)]
    return differences + [f"another {name}" for name in altered]
