"""Description of the machine with the GPU, and of which nodes of a graph run there."""

import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.gpu.models import open_on
from benchmarks.gpu.parts import Found
from biogpt_onnx.bench import machine
from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.backends.cuda.graphs import MOVE, SCORE, SELECT
from biogpt_onnx.runtime.backends.cuda.session import Accelerator
from biogpt_onnx.runtime.errors import BundleError
from biogpt_onnx.runtime.ort.providers import import_onnxruntime
from biogpt_onnx.runtime.ort.sessions import open_session, session_options

_PACKAGES = (
    "biogpt-onnx",
    "numpy",
    "onnx",
    "onnx-ir",
    "onnxruntime",
    "onnxruntime-gpu",
    "sacremoses",
    "torch",
    "transformers",
)
_SMALL_GRAPHS = {"move": MOVE, "select": SELECT, "score": SCORE}
_GPU_FIELDS = (*machine.GPU_FIELDS, "memory.used", "power.limit", "clocks.max.sm")


def describe() -> Found:
    """Describes the machine, its GPUs, and ONNX Runtime."""
    onnxruntime = import_onnxruntime()
    return {
        "machine": machine.describe(_PACKAGES),
        "gpus": machine.gpus(_GPU_FIELDS),
        "onnxruntime": {
            "version": onnxruntime.__version__,
            "cuda_version": getattr(onnxruntime, "cuda_version", None) or None,
            "providers": onnxruntime.get_available_providers(),
            "build": onnxruntime.get_build_info(),
        },
    }


def node_placement(folder: Path, accelerator: Accelerator) -> Found:
    """Counts the nodes of each graph by provider; null where ONNX Runtime does not tell.

    Where steps are captured, also says whether ONNX Runtime captures the causal graph, or why it refuses.

    Args:
        folder: the bundle.
        accelerator: the device.
    """
    # Whatever else CUDA takes to start is said, and done, by this.
    open_on(folder, accelerator)
    found: Found = {"causal": _placement(folder / bundle.CAUSAL_MODEL_FILE, accelerator)}
    with tempfile.TemporaryDirectory() as temporary:
        for name, graph in _SMALL_GRAPHS.items():
            path = Path(temporary) / f"{name}.onnx"
            path.write_bytes(graph)
            found[name] = _placement(path, accelerator)
    if accelerator.captures:
        found["capture_refused"] = _refusal(folder / bundle.CAUSAL_MODEL_FILE, accelerator)
    return found


def _placement(path: Path, accelerator: Accelerator) -> Found | None:
    """Counts nodes without CUDA graphs, which ONNX Runtime may refuse for the very nodes that this is to show."""
    session = _open(path, accelerator, dict(accelerator.options))
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return None
    assigned: list[tuple[str, Any]] = [
        (group.ep_name, node) for group in session.get_provider_graph_assignment_info() for node in group.get_nodes()
    ]
    return {
        "nodes": dict(Counter(provider for provider, _ in assigned)),
        "not_on_the_device": [
            f"{node.op_type} {node.name}" for provider, node in assigned if provider != accelerator.provider
        ],
    }


def _refusal(path: Path, accelerator: Accelerator) -> str | None:
    try:
        _open(path, accelerator, {**dict(accelerator.options), "enable_cuda_graph": "1"})
    except BundleError as error:
        return str(error)
    return None


def _open(path: Path, accelerator: Accelerator, provider_options: Mapping[str, str]) -> Any:  # noqa: ANN401 -- ONNX Runtime has no types
    onnxruntime = import_onnxruntime()
    options = session_options(onnxruntime, 1, prepack=True, is_half_on_cpu=False)
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return open_session(
        onnxruntime, path, options, accelerator.provider, "see ONNX Runtime's log", provider_options=provider_options
    )
