"""Pair of bundles of one model: the one that is evaluated and its baseline."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from biogpt_onnx.quantize.evaluate.report import BundleSummary
from biogpt_onnx.runtime import bundle as bundle_files
from biogpt_onnx.runtime.backends.protocol import Backend
from biogpt_onnx.runtime.backends.registry import open_backend
from biogpt_onnx.runtime.bundle import Manifest, check_files, read_manifest
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import BundleError
from biogpt_onnx.runtime.loading import open_tokenizer
from biogpt_onnx.runtime.options import LoadOptions
from biogpt_onnx.runtime.system.memory import give_back_freed_memory
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer

BOTH_OPEN_BYTES = 4 << 30
"""Most bytes of two bundles that are open at the same time; of larger ones, one is closed before the other opens."""

ItemT = TypeVar("ItemT")
FoundT = TypeVar("FoundT")


@dataclass(frozen=True)
class OpenBundle:
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


class PairedBundle:
    """Bundle of a pair, which is opened when it is to run.

    Args:
        folder: bundle's folder.
        manifest: bundle's manifest.
        tokenizer: tokenizer of both bundles.
        options: options of loading.
        stays_open: False closes the bundle whenever nothing runs it, so that another may take its memory.

    Attributes:
        folder: bundle's folder.
        manifest: bundle's manifest.
        stays_open: False if the bundle is closed whenever nothing runs it.
    """

    def __init__(
        self, folder: Path, manifest: Manifest, tokenizer: BioGptTokenizer, options: LoadOptions, *, stays_open: bool
    ) -> None:
        self.folder, self.manifest, self.stays_open = folder, manifest, stays_open
        self._tokenizer, self._options = tokenizer, options
        self._open: OpenBundle | None = None

    @property
    def summary(self) -> BundleSummary:
        """Summary of the bundle for a report."""
        return BundleSummary(self.manifest.precision, self.manifest.recipe, self.manifest.num_bytes)

    @contextmanager
    def running(self) -> Iterator[OpenBundle]:
        """Yields the bundle, ready to run until the block ends.

        Raises:
            BundleError: the graph cannot be loaded.
            ProviderError: ONNX Runtime or the device is not available.
            ConfigError: a setting is bad.
        """
        if self._open is None:
            backend = open_backend(self.folder, self.manifest, self._options)
            engine = BioGPT(backend, self._tokenizer, self.manifest)
            self._open = OpenBundle(self.folder, self.manifest, backend, engine)
        try:
            yield self._open
        finally:
            if not self.stays_open:
                self._open.session.close()
                self._open = None
                give_back_freed_memory()

    @contextmanager
    def found(
        self, compute: Callable[[OpenBundle, ItemT], FoundT], items: Sequence[ItemT]
    ) -> Iterator[Iterable[FoundT]]:
        """Yields what the bundle computes of each item, while the other bundle of the pair runs.

        It is computed as it is asked for if both may be open, and all of it before the block begins if not.

        Args:
            compute: computes with the bundle and an item.
            items: such as documents.
        """
        with self.running() as model:
            results = (compute(model, item) for item in items)
            if self.stays_open:
                yield results
                return
            kept = list(results)
        yield kept


@dataclass(frozen=True)
class ModelPair:
    """Bundle and the baseline that it is compared with.

    Attributes:
        bundle: bundle that is evaluated.
        baseline: bundle to compare with.
        tokenizer: tokenizer of both.
    """

    bundle: PairedBundle
    baseline: PairedBundle
    tokenizer: BioGptTokenizer


def open_pair(
    bundle: Path,
    baseline: Path,
    *,
    options: LoadOptions | None = None,
    with_head: bool = False,
) -> ModelPair:
    """Checks both bundles, which are opened when they are to run.

    Two that are large together are not open at the same time, and have float32 weights mapped from the file.

    Args:
        bundle: folder of the bundle that is evaluated.
        baseline: folder of the bundle to compare with.
        options: options of loading, by default `LoadOptions()`; the size of the bundles decides if they are prepacked.
        with_head: True for bundles with a classification head, False for language models.

    Raises:
        BundleError: one is missing, incomplete or damaged, they differ in architecture, vocabulary or head, or are not
            of the kind that `with_head` says.
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

    both_open = sum(manifest.num_bytes for manifest in manifests) <= BOTH_OPEN_BYTES
    options = replace(options or LoadOptions(), prepack=both_open)
    ours, theirs = (
        PairedBundle(folder, manifest, tokenizer, options, stays_open=both_open)
        for folder, manifest in zip((bundle, baseline), manifests, strict=True)
    )
    return ModelPair(ours, theirs, tokenizer)


def _differences(manifest: Manifest, baseline: Manifest) -> list[str]:
    names = [field.name for field in fields(Architecture)]
    pairs = [(name, getattr(manifest.architecture, name), getattr(baseline.architecture, name)) for name in names]
    differences = [f"{name} {ours} and {theirs}" for name, ours, theirs in pairs if ours != theirs]
    if manifest.head != baseline.head:
        differences.append("another head")
    vocabulary = (bundle_files.VOCAB_FILE, bundle_files.MERGES_FILE, bundle_files.TOKENIZER_CONFIG_FILE)
    altered = [name for name in vocabulary if manifest.files.get(name) != baseline.files.get(name)]
    return differences + [f"another {name}" for name in altered]
