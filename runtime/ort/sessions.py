"""Sessions: a bundle's graph opened in ONNX Runtime, and compared with its manifest."""

import warnings
from collections.abc import Mapping
from pathlib import Path

from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.bundle import GraphSpec, Manifest, weights_outside
from biogpt_onnx.runtime.errors import CLOSED, BundleError, ConfigError, ModelClosedError, ProviderError
from biogpt_onnx.runtime.ort.denormals import denormals_as_zeros, take_denormals_as_zeros
from biogpt_onnx.runtime.ort.element_types import ELEMENT_TYPES, FLOAT32, ElementType
from biogpt_onnx.runtime.ort.protocols import InferenceSession, OnnxRuntime, SessionOptions
from biogpt_onnx.runtime.ort.providers import is_outdated, outdated
from biogpt_onnx.runtime.system.cores import num_cores, num_usable_cores


def session_options(
    onnxruntime: OnnxRuntime, threads: int | None, *, prepack: bool, is_half_on_cpu: bool
) -> SessionOptions:
    """Returns the options with which every graph is opened.

    A session of these is to be opened and run within `denormals_as_zeros`.

    Args:
        onnxruntime: the module `onnxruntime`.
        threads: number of threads that compute one pass, which is cut to the cores that the process may use; None for
            one a core.
        prepack: True if ONNX Runtime is to rearrange the weights while loading.
        is_half_on_cpu: True if the graph computes in half precision on a CPU.

    Raises:
        ConfigError: a bad number of threads.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _num_threads(threads)
    # The graph is exported with its operators fused. Higher levels would make SkipLayerNormalization, which is slow.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    # Errors come as exceptions; the log would only repeat them.
    options.log_severity_level = 4
    take_denormals_as_zeros(options)
    if not prepack:
        options.add_session_config_entry("session.disable_prepacking", "1")
    if is_half_on_cpu:
        _compute_half_in_float32(onnxruntime, options)
    return options


def _compute_half_in_float32(onnxruntime: OnnxRuntime, options: SessionOptions) -> None:
    # Products and sums of 16 bits have no kernels for the CPU, so that ONNX Runtime converts their inputs. Only its
    # highest level does that once for the weights, instead of at every step, and then rearranges them.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("optimization.disable_specified_optimizers", "SkipLayerNormFusion")


def _num_threads(threads: int | None) -> int:
    cores = num_usable_cores()
    if threads is None:
        # 0 leaves it to ONNX Runtime, which takes one a physical core and ignores what restricts a process to a few.
        return cores if cores < num_cores() else 0
    if type(threads) is not int or threads < 1:
        raise ConfigError(f"threads is {threads!r}: give a whole number of 1 or more, or None for all cores")
    if threads > cores:
        # They would take turns on the cores, waiting for one another, and thousands take minutes to start.
        warnings.warn(
            f"threads is {threads:,}, but this process may use {cores}, so it has {cores}: give at most as many",
            RuntimeWarning,
            stacklevel=2,
        )
    return min(threads, cores)


def open_session(  # noqa: PLR0913 -- the graph, its options and its provider
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
        onnxruntime: the module `onnxruntime`.
        path: file of the graph.
        options: options of the session.
        provider: execution provider.
        remedy: end of the error's message if the graph cannot be loaded.
        provider_options: options of the execution provider.

    Raises:
        BundleError: the graph cannot be loaded.
        ProviderError: ONNX Runtime is too old for the graph, or the provider cannot be started.
    """
    providers = [(provider, dict(provider_options or {}))]
    try:
        # The first session of a process would leave this thread's denormals as zeros.
        with denormals_as_zeros():
            # ONNX Runtime's own fallback would print, and try the CPU.
            session = onnxruntime.InferenceSession(path, options, providers=providers, enable_fallback=0)
    except Exception as error:  # ONNX Runtime's exceptions have no common base but this
        if is_outdated(onnxruntime):
            raise ProviderError(f"{path} cannot be loaded: {outdated(onnxruntime)}") from error
        if link := weights_outside(path.parent):
            raise BundleError(link) from error
        first_line = str(error).partition("\n")[0]
        raise BundleError(f"{path} cannot be loaded ({first_line}): {remedy}") from error
    if provider not in session.get_providers():
        raise ProviderError(f"{provider} was asked for, but ONNX Runtime could not start it")
    return session


def when_open(session: InferenceSession | None) -> InferenceSession:
    """Returns the session of a model that was not closed.

    Raises:
        ModelClosedError: the model was closed, so that there is no session.
    """
    if session is None:
        raise ModelClosedError(CLOSED)
    return session


def check_contract(folder: Path, session: InferenceSession, spec: GraphSpec) -> None:
    """Compares a graph's inputs and outputs with those of the manifest.

    Raises:
        BundleError: the names differ.
    """
    graph_names = {value.name for value in (*session.get_inputs(), *session.get_outputs())}
    manifest_names = {value.name for value in (*spec.inputs, *spec.outputs)}
    if graph_names != manifest_names:
        names = ", ".join(sorted(graph_names ^ manifest_names)[:3])
        raise BundleError(f"{folder}: the graph and the manifest disagree on {names}: export the bundle again")


def cache_element_type(folder: Path, manifest: Manifest) -> ElementType:
    """Returns the element type of a bundle's cache.

    Raises:
        BundleError: the cache has a type that this version does not know.
    """
    first = bundle.past_name(0, "key")
    # A manifest without this input is refused by `check_contract`.
    dtype = next((spec.dtype for spec in manifest.inputs if spec.name == first), FLOAT32.name)
    if dtype not in ELEMENT_TYPES:
        raise BundleError(
            f"{folder}: the cache has the type {dtype}, this biogpt-onnx knows {', '.join(ELEMENT_TYPES)}"
        )
    return ELEMENT_TYPES[dtype]
