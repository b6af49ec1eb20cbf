"""A bundle's graph that is open in ONNX Runtime on the CPU: which one it is, and where its weights lie."""

from functools import partial
from pathlib import Path

from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.backends.cpu.huge_pages import HugePages
from biogpt_onnx.runtime.bundle import GraphSpec, Manifest
from biogpt_onnx.runtime.bundle.batch_invariance import is_batch_invariant
from biogpt_onnx.runtime.errors import ConfigError, ProviderError
from biogpt_onnx.runtime.options import LoadOptions
from biogpt_onnx.runtime.ort.element_types import FLOAT32
from biogpt_onnx.runtime.ort.protocols import InferenceSession, OnnxRuntime
from biogpt_onnx.runtime.ort.providers import CPU_PROVIDER, is_outdated, outdated
from biogpt_onnx.runtime.ort.sessions import cache_element_type, check_contract, open_session, session_options
from biogpt_onnx.runtime.system.memory import give_back_freed_memory
from biogpt_onnx.runtime.system.weight_pages import release_mapped_pages

_NOT_ON_CPU = frozenset({"bf16"})
"""Precisions for which the attention operator of ONNX Runtime's CPU provider has no kernel."""


def runs_on_cpu(precision: str) -> bool:
    """Returns True if ONNX Runtime can run a bundle of this precision on a CPU."""
    return precision not in _NOT_ON_CPU


def not_run_on_cpu(precision: str, reason: str) -> str:
    """Returns the message of the error for a precision that does not run on a CPU."""
    return (
        f"ONNX Runtime runs {precision} bundles on an NVIDIA GPU only, and {reason}: choose device cuda with "
        "biogpt-onnx[gpu] installed, or quantize the fp32 bundle by another recipe, such as fp16"
    )


class OpenedGraph:
    """A graph of a bundle in a session of ONNX Runtime on the CPU.

    Attributes:
        file: name of the graph's file.
        session: the session; None once it is closed.
    """

    def __init__(  # noqa: PLR0913 -- what is opened, and how
        self,
        onnxruntime: OnnxRuntime,
        folder: Path,
        manifest: Manifest,
        options: LoadOptions,
        *,
        as_stored: bool,
        steps: bool,
    ) -> None:
        """Opens the graph; the arguments are those of `DecoderSession`, and so are the errors.

        Args:
            onnxruntime: the module `onnxruntime`.
            folder: folder of the bundle.
            manifest: manifest of the bundle.
            options: number of threads, storage of the weights, and the graph.
            as_stored: True to map all weights from the file as they are.
            steps: True for the steps graph, if the bundle has one.
        """
        if not runs_on_cpu(manifest.precision):
            raise ProviderError(not_run_on_cpu(manifest.precision, "device is cpu"))
        prepack = not as_stored and (options.prepack or manifest.precision != "fp32")
        if options.share_weights and not prepack:
            raise ConfigError(
                "share_weights is True and prepack False: without prepacking, processes share a float32 bundle's own "
                "file already; leave out one of the two"
            )
        is_half = cache_element_type(folder, manifest) is not FLOAT32
        new_options = partial(session_options, onnxruntime, options.threads, prepack=prepack, is_half_on_cpu=is_half)
        self.file, spec = _chosen(onnxruntime, manifest, options, prepack=prepack, steps=steps)
        path, remedy = folder / self.file, "check it with `biogpt-onnx info --check`"
        if options.share_weights:
            from biogpt_onnx.runtime.backends.cpu.prepacked_weights import (  # noqa: PLC0415 -- slow to import
                PrepackedWeights,
            )

            prepacked = PrepackedWeights(
                onnxruntime, folder, manifest, options.cache_folder, self.file, options.check_memory
            )
            path = prepacked.model_path(new_options())
            remedy = f"delete {path.parent}, which is then made anew"
        # Mapped weights have the pages of their file.
        self._huge_pages = HugePages() if options.huge_pages and prepack and not options.share_weights else None
        self.session: InferenceSession | None = open_session(onnxruntime, path, new_options(), CPU_PROVIDER, remedy)
        if options.share_weights:
            give_back_freed_memory()
        elif prepack:
            release_mapped_pages(folder / bundle.WEIGHTS_FILE)
        if self._huge_pages is not None:
            self._huge_pages.begin()
        check_contract(folder, self.session, spec)

    def close(self) -> None:
        """Frees the session, once no pass holds it any more."""
        if self._huge_pages is not None:
            self._huge_pages.stop()
        self.session = None


def _chosen(
    onnxruntime: OnnxRuntime, manifest: Manifest, options: LoadOptions, *, prepack: bool, steps: bool
) -> tuple[str, GraphSpec]:
    """Returns the file of the graph that a session runs, and the graph's inputs and outputs.

    Raises:
        ProviderError: ONNX Runtime is too old for a graph of steps.
    """
    if steps and manifest.steps is not None:
        if is_outdated(onnxruntime):
            raise ProviderError(f"{bundle.STEPS_MODEL_FILE} cannot be loaded: {outdated(onnxruntime)}")
        return bundle.STEPS_MODEL_FILE, manifest.steps
    if manifest.mixed is not None and (options.mixed_passes or manifest.cache is not None):
        return bundle.MIXED_MODEL_FILE, manifest.mixed
    # Rows must not depend on those beside them, which is certain of these bundles and of prepacked weights alone.
    holds_rows_apart = prepack and is_batch_invariant(manifest, has_avx512=True)
    # Older versions know the graph's attention without its last input.
    if manifest.ragged is not None and holds_rows_apart and not is_outdated(onnxruntime):
        return bundle.RAGGED_MODEL_FILE, manifest.ragged
    return bundle.MODEL_FILE, GraphSpec(manifest.inputs, manifest.outputs)
