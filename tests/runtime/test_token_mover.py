import numpy as np
import onnxruntime
import pytest

from biogpt_onnx.runtime import token_mover
from biogpt_onnx.runtime.token_mover import TokenMover


def test_tokens_come_in_the_order_in_which_they_are_asked_for() -> None:
    mover = TokenMover(onnxruntime, "CPUExecutionProvider", "cpu")
    source = np.random.default_rng(0).normal(size=(6, 10, 4)).astype(np.float16)
    target = np.zeros((6, 5, 4), dtype=np.float16)
    slots = np.array([0, 9, 3, 3, 1])
    mover.move(source.ctypes.data, source.shape, target.ctypes.data, slots)
    assert np.array_equal(target, source[:, slots])


def test_the_graph_that_comes_ready_is_the_one_that_is_described() -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load_model_from_string(token_mover._GRAPH)
    onnx.checker.check_model(model)
    (node,) = model.graph.node
    assert (node.op_type, list(node.input), list(node.output)) == ("Gather", ["source", "indices"], ["target"])
    assert [(attribute.name, attribute.i) for attribute in node.attribute] == [("axis", 1)]
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 20)]
    assert not model.graph.initializer
