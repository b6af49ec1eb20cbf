"""Sessions: a bundle's graph opened in ONNX Runtime, and compared with its manifest."""

import os
from collections.abc import Mapping
from pathlib import Path

from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.bundle import GraphSpec, Manifest
from biogpt_onnx.runtime.errors import BundleError, ConfigError, ProviderError
from biogpt_onnx.runtime.ort.element_types import ELEMENT_TYPES, FLOAT32, ElementType
from biogpt_onnx.runtime.ort.protocols import InferenceSession, OnnxRuntime, SessionOptions


def session_options(
    onnxruntime: OnnxRuntime, threads: int | None, *, prepack: bool, is_half_on_cpu: bool
) -> SessionOptions:
    """Returns the options with which every graph is opened.

    Args:
        onnxruntime: ONNX Runtime.
        threads: threads that compute one pass; None for one a core that the process may use.
        prepack: whether ONNX Runtime rearranges the weights while loading.
        is_half_on_cpu: whether the graph computes in half precision on a CPU.

    Raises:
        ConfigError: a bad number of threads.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _num_threads(threads)
    # The graph comes fused as it should run. The higher levels would make SkipLayerNormalization of it, which is slow.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    # What goes wrong comes as an exception; the log would only say it a second time.
    options.log_severity_level = 4
    if not prepack:
        options.add_session_config_entry("session.disable_prepacking", "1")
    if is_half_on_cpu:
        _compute_half_in_float32(onnxruntime, options)
    return options


def _compute_half_in_float32(onnxruntime: OnnxRuntime, options: SessionOptions) -> None:
    # Products and sums of 16 bits have no kernels for the CPU, so that ONNX Runtime converts what they read. Only its
    # highest level does that once for the weights, instead of at every step, and then rearranges them.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("optimization.disable_specified_optimizers", "SkipLayerNormFusion")


def _num_threads(threads: int | None) -> int:
    if threads is None:
        # 0 is ONNX Runtime's own choice, one a physical core; it does not see that a process may be kept to a few.
        available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
        return available if available < (os.cpu_count() or 1) else 0
    if type(threads) is not int or threads < 1:
        raise ConfigError(f"threads is {threads!r}: give a whole number of 1 or more, or None for all cores")
    return threads


def open_session(  # noqa: PLR0913 -- what is opened, how and where
    onnxruntime: OnnxRuntime,
    path: Path,
    options: SessionOptions,
    provider: str,
    remedy: str,
    *,
    provider_options: Mapping[str, str] | None = None,
) -> InferenceSession:
    """Opens a session that runs on this provider, and on no other in its place.

    Args:
        onnxruntime: ONNX Runtime.
        path: the graph's file.
        options: of the session.
        provider: the execution provider.
        remedy: ends the error if the graph cannot be loaded.
        provider_options: of the execution provider.

    Raises:
        BundleError: the graph cannot be loaded.
        ProviderError: the provider cannot be started.
    """
    providers = [(provider, dict(provider_options or {}))]
    try:
        # ONNX Runtime's own fallback would print, and try the CPU.
        session = onnxruntime.InferenceSession(path, options, providers=providers, enable_fallback=0)
    except Exception as error:  # ONNX Runtime's exceptions have no common base but this
        first_line = str(error).partition("\n")[0]
        raise BundleError(f"{path} cannot be loaded ({first_line}): {remedy}") from error
    if provider not in session.get_providers():
        raise ProviderError(f"{provider} was asked for, but ONNX Runtime could not start it")
    return session


def check_contract(folder: Path, session: InferenceSession, spec: GraphSpec) -> None:
    """Compares a graph's inputs and outputs with what the manifest says of them.

    Raises:
        BundleError: they differ.
    """
    graph_names = {value.name for value in (*session.get_inputs(), *session.get_outputs())}
    manifest_names = {value.name for value in (*spec.inputs, *spec.outputs)}
    if graph_names != manifest_names:
        names = ", ".join(sorted(graph_names ^ manifest_names)[:3])
        raise BundleError(f"{folder}: the graph and the manifest disagree on {names}: export the bundle again")


def cache_element_type(folder: Path, manifest: Manifest) -> ElementType:
    """Returns the element type of a bundle's cache.

    Raises:
        BundleError: numbers of a type that this version does not know.
    """
    first = bundle.past_name(0, "key")
    # Where there is no such input, the graph has one that the manifest lacks: see `check_contract`.
    dtype = next((spec.dtype for spec in manifest.inputs if spec.name == first), FLOAT32.name)
    if dtype not in ELEMENT_TYPES:
        raise BundleError(
            f"{folder}: the cache has the type {dtype}, this biogpt-onnx knows {', '.join(ELEMENT_TYPES)}"
        )
    return ELEMENT_TYPES[dtype]
