"""ONNX Runtime's own dynamic quantization, as most people use it: something to compare with."""

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx

from biogpt_onnx.export.exporter import Progress
from biogpt_onnx.runtime.bundle import MODEL_FILE, WEIGHTS_FILE
from biogpt_onnx.runtime.ort.providers import import_onnxruntime

# The session that runs bundles applies no fusions, as they come fused; this is what it would have to apply here.
# Without the last it is slower: see `DecoderLayer`.
_UNWANTED_FUSIONS = ["SkipLayerNormFusion"]


def save_dynamic(source: Path, path: Path, progress: Progress | None = None) -> None:
    """Writes a float32 bundle's graph as `quantize_dynamic` makes it, with its external data beside it.

    Products take 8-bit weights with one scale a matrix, and activations with one scale for all rows of a step: what
    stands in one row changes what is computed for the others.

    Args:
        source: a float32 bundle.
        path: of the graph to write.
        progress: called at the end; ONNX Runtime does not tell how far it is.
    """
    # It must be imported before its quantization is, so as to keep its telemetry off.
    import_onnxruntime()
    with tempfile.TemporaryDirectory(prefix="dynamic-", dir=path.parent) as folder:
        original, quantized = Path(folder) / "original", Path(folder) / "quantized"
        original.mkdir()
        quantized.mkdir()
        # A copy, because the quantizer writes a file of its own beside what it reads.
        for name in (MODEL_FILE, WEIGHTS_FILE):
            shutil.copyfile(source / name, original / name)
        _quantize(original / MODEL_FILE, quantized / MODEL_FILE)
        _fuse(quantized / MODEL_FILE, path)
    onnx.checker.check_model(path, full_check=False)
    if progress is not None:
        progress(1, 1)


def _quantize(original: Path, quantized: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415 -- see `save_dynamic`

    with _quiet():
        quantize_dynamic(
            original,
            quantized,
            weight_type=QuantType.QInt8,
            use_external_data_format=True,
            # ONNX does not know the type of what comes out of ONNX Runtime's attention.
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
    # Its advice to run a preprocessing goes to the root logger; the graph here has been optimized as it is built.
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(previous)
