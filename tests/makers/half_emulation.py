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
from biogpt_onnx.runtime.bundle_writer import write_bundle

_HALF = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
_HALF_NAMES = ("float16", "bfloat16")
# What else the graph has moves values or computes shapes.
_ARITHMETIC = ("Add", "Gelu", "Gemm", "GroupQueryAttention", "LayerNormalization", "Mul")


def emulated(source: Path, target: Path) -> Path:
    """Writes a half-precision bundle's graph as a float32 bundle that rounds after each of its operations."""
    manifest = read_manifest(source)
    model = onnx.load(source / MODEL_FILE)
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
    with write_bundle(target) as writer:
        for name in (CONFIG_FILE, VOCAB_FILE, MERGES_FILE):
            shutil.copyfile(source / name, writer.folder / name)
        onnx.save(model, writer.folder / MODEL_FILE)
        inputs, outputs = (tuple(map(_in_float32, specs)) for specs in (manifest.inputs, manifest.outputs))
        writer.finish(dataclasses.replace(manifest, precision="fp32", recipe=None, inputs=inputs, outputs=outputs))
    return target


def _rounded(node: onnx.NodeProto, half: int) -> list[onnx.NodeProto]:
    # The attention's other two outputs are the cache, which takes in what has been rounded before.
    if node.op_type not in _ARITHMETIC:
        return [node]
    name = node.output[0]
    node.output[0] = f"{name}.exact"
    return [
        node,
        helper.make_node("Cast", [f"{name}.exact"], [f"{name}.half"], to=half),
        helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT),
    ]


def _in_float32(spec: TensorSpec) -> TensorSpec:
    return dataclasses.replace(spec, dtype="float32") if spec.dtype in _HALF_NAMES else spec
