"""ONNX Runtime's dynamic quantization with its usual settings, to compare other recipes with."""

import logging
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx

from biogpt_onnx.export.graph.decoder import head_node
from biogpt_onnx.reporting.progress import Progress
from biogpt_onnx.runtime.bundle import MODEL_FILE, WEIGHTS_FILE, ClassificationHead
from biogpt_onnx.runtime.ort.providers import import_onnxruntime

# Sessions of bundles apply no fusions, because the graphs are built fused; this graph is fused when it is written.
# SkipLayerNormalization is left out, because on the CPU it is four times slower than what it replaces.
_UNWANTED_FUSIONS = ["SkipLayerNormFusion"]


def save_dynamic(
    source: Path, path: Path, progress: Progress | None = None, *, head: ClassificationHead | None = None
) -> None:
    """Writes a float32 bundle's graph as `quantize_dynamic` makes it, with its external data beside it.

    Products take 8-bit weights with one scale for each matrix, and 8-bit activations with one scale for all rows of a
    step, so that each row's values change the result of the others.

    Args:
        source: float32 bundle.
        path: file of the graph to write.
        progress: called once, at the end, because ONNX Runtime reports no progress.
        head: bundle's classification head, which stays in float32; None for a language model.
    """
    # Imported before its module of quantization, which keeps its telemetry off.
    import_onnxruntime()
    with tempfile.TemporaryDirectory(prefix="dynamic-", dir=path.parent) as folder:
        original, quantized = Path(folder) / "original", Path(folder) / "quantized"
        original.mkdir()
        quantized.mkdir()
        # A copy, because the quantizer writes a file beside the one it reads.
        _copy_graph(source / MODEL_FILE, original / MODEL_FILE)
        shutil.copyfile(source / WEIGHTS_FILE, original / WEIGHTS_FILE)
        # The quantizer first makes products of the graph's nodes, under other names.
        kept = [] if head is None else [f"{head_node(head)}_MatMul"]
        _quantize(original / MODEL_FILE, quantized / MODEL_FILE, kept)
        _fuse(quantized / MODEL_FILE, path)
    onnx.checker.check_model(path, full_check=False)
    if progress is not None:
        progress(1, 1)


def _copy_graph(source: Path, target: Path) -> None:
    """Copies a graph in the form that the quantizers of older versions of ONNX Runtime need, too.

    Before 1.32 they transpose the weight of a `Gemm` in place. So one that is the embedding as well becomes a weight of
    its own, over the same bytes of the file, and what the graph repeats of the shapes of weights is left out.
    """
    model = onnx.load(source, load_external_data=False)
    weights = {weight.name: weight for weight in model.graph.initializer}
    shapes = [value for value in model.graph.value_info if value.name not in weights]
    del model.graph.value_info[:]
    model.graph.value_info.extend(shapes)
    uses = Counter(name for node in model.graph.node for name in node.input)
    for node in model.graph.node:
        if node.op_type == "Gemm" and uses[node.input[1]] > 1:
            copy = onnx.TensorProto()
            copy.CopyFrom(weights[node.input[1]])
            copy.name = f"{node.name}.{copy.name}"
            model.graph.initializer.append(copy)
            node.input[1] = copy.name
    onnx.save(model, target)


def _quantize(original: Path, quantized: Path, kept: list[str]) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415 -- after `import_onnxruntime`

    with _quiet():
        quantize_dynamic(
            original,
            quantized,
            weight_type=QuantType.QInt8,
            use_external_data_format=True,
            nodes_to_exclude=kept,
            # ONNX cannot infer the type of ONNX Runtime's attention outputs.
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )


def _fuse(quantized: Path, path: Path) -> None:
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = 4
    options.optimized_model_filepath = str(path)
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", WEIGHTS_FILE)
    onnxruntime.InferenceSession(
        quantized, options, providers=["CPUExecutionProvider"], disabled_optimizers=_UNWANTED_FUSIONS
    )


@contextmanager
def _quiet() -> Iterator[None]:
    # The quantizer advises on the root logger to preprocess the graph, which is built optimized.
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(previous)
