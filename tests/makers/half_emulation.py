"""Half precision as a GPU computes it, on any CPU: float32 operations whose results are rounded to 16 bits.

ONNX Runtime's CPU provider has no kernels for bfloat16, and with float16 it keeps float32 between most operations, so
that neither shows what rounding after every operation costs.
"""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from biogpt_onnx.runtime.bundle import CONFIG_FILE, MERGES_FILE, MODEL_FILE, VOCAB_FILE, TensorSpec, read_manifest
from biogpt_onnx.runtime.bundle.writer import write_bundle

_HALF = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
_HALF_NAMES = ("float16", "bfloat16")
# Which outputs are rounded. The attention's other two are the cache, which takes in what has been rounded before. What
# else the graphs have moves values, computes shapes or takes up the logits, which are float32.
_ROUNDED_ONCE = ("Add", "BiasGelu", "Gelu", "Gemm", "GroupQueryAttention", "LayerNormalization", "Mul")
_ARITHMETIC: dict[str, tuple[int, ...]] = {"SkipLayerNormalization": (0, 3), **dict.fromkeys(_ROUNDED_ONCE, (0,))}


def emulated(source: Path, target: Path) -> Path:
    """Writes a half-precision bundle's first graph as a float32 bundle that rounds after each of its operations."""
    manifest = read_manifest(source)
    with write_bundle(target) as writer:
        for name in (CONFIG_FILE, VOCAB_FILE, MERGES_FILE):
            shutil.copyfile(source / name, writer.folder / name)
        onnx.save(emulated_graph(source / MODEL_FILE), writer.folder / MODEL_FILE)
        inputs, outputs = (tuple(map(_in_float32, specs)) for specs in (manifest.inputs, manifest.outputs))
        writer.finish(
            dataclasses.replace(manifest, precision="fp32", recipe=None, inputs=inputs, outputs=outputs, causal=None)
        )
    return target


def emulated_graph(path: Path) -> onnx.ModelProto:
    """A half-precision graph as one of float32 that rounds after each of its operations."""
    model = onnx.load(path)
    (half,) = {tensor.data_type for tensor in model.graph.initializer} & set(_HALF)
    for tensor in model.graph.initializer:
        if tensor.data_type == half:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))
    for value in (*model.graph.input, *model.graph.output):
        if value.type.tensor_type.elem_type == half:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    nodes = [rounded for node in model.graph.node for rounded in _rounded(node, half)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def _rounded(node: onnx.NodeProto, half: int) -> list[onnx.NodeProto]:
    nodes = [node]
    for number in _ARITHMETIC.get(node.op_type, ()):
        name = node.output[number]
        node.output[number] = f"{name}.exact"
        nodes += [
            helper.make_node("Cast", [f"{name}.exact"], [f"{name}.half"], to=half),
            helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT),
        ]
    return nodes


def _in_float32(spec: TensorSpec) -> TensorSpec:
    return dataclasses.replace(spec, dtype="float32") if spec.dtype in _HALF_NAMES else spec
