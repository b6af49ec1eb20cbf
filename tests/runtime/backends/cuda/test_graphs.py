"""The small graphs that come ready."""

import threading

import numpy as np
import onnxruntime
import pytest

from biogpt_onnx.runtime.backends.cuda import token_mover
from biogpt_onnx.runtime.backends.cuda.graphs import MOVE, SCORE, SELECT, SELECTED, open_graph
from biogpt_onnx.runtime.backends.cuda.outputs import OutputGraphs, TopTokenSelection, look_up
from biogpt_onnx.runtime.backends.cuda.token_mover import TokenMover

CPU = "CPUExecutionProvider"


def test_tokens_come_in_the_order_in_which_they_are_asked_for() -> None:
    mover = TokenMover(onnxruntime, CPU, "cpu", threading.RLock())
    source = np.random.default_rng(0).normal(size=(6, 10, 4)).astype(np.float16)
    target = np.zeros((6, 5, 4), dtype=np.float16)
    slots = np.array([0, 9, 3, 3, 1])
    mover.move(source.ctypes.data, source.shape, target.ctypes.data, slots)
    assert np.array_equal(target, source[:, slots])
    assert np.array_equal(mover.read(source.ctypes.data, source.shape, slots), target)


@pytest.mark.parametrize("most_words", [1, 10, 17, 1000])
def test_what_is_too_much_for_one_run_is_moved_in_several(monkeypatch: pytest.MonkeyPatch, most_words: int) -> None:
    monkeypatch.setattr(token_mover, "_MOST_WORDS", most_words)
    mover = TokenMover(onnxruntime, CPU, "cpu", threading.RLock())
    source = np.random.default_rng(0).normal(size=(7, 3, 8)).astype(np.float16)
    target = np.ones((7, 5, 8), dtype=np.float16)
    slots = np.array([2, 2, 0, 1, 2])
    mover.move(source.ctypes.data, source.shape, target.ctypes.data, slots)
    assert np.array_equal(target, source[:, slots])
    mover.clear(target.ctypes.data, target.shape)
    assert not target.any()


def test_the_likeliest_tokens_come_with_their_log_probabilities() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (3, 500)).astype(np.float32)
    value = onnxruntime.OrtValue.ortvalue_from_numpy(logits)
    selection = TopTokenSelection(OutputGraphs(onnxruntime, CPU, "cpu", 500), value)
    for _ in range(2):
        ids, log_probabilities = selection.run()
        order = np.argsort(-logits, axis=-1, kind="stable")[:, :SELECTED]
        assert np.array_equal(ids, order)
        normalizer = np.log(np.exp(logits.astype(np.float64)).sum(axis=-1, keepdims=True))
        np.testing.assert_allclose(log_probabilities, np.take_along_axis(logits - normalizer, order, -1), atol=1e-5)
        # The same memory, other logits.
        logits[:] = logits[:, ::-1].copy()


def test_given_tokens_have_their_log_probabilities() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (3, 500)).astype(np.float32)
    rows, tokens = np.array([2, 0, 0, 1, 2]), np.array([0, 499, 7, 7, 0])
    session = open_graph(onnxruntime, SCORE, CPU)
    found = look_up(onnxruntime, session, onnxruntime.OrtValue.ortvalue_from_numpy(logits), rows, tokens)
    normalizer = np.log(np.exp(logits.astype(np.float64)).sum(axis=-1))
    np.testing.assert_allclose(found, logits[rows, tokens] - normalizer[rows], atol=1e-5)


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (MOVE, [("Gather", ["source", "indices"], ["target"])]),
        (
            SELECT,
            [
                ("TopK", ["logits", "count"], ["values", "ids"]),
                ("ReduceLogSumExp", ["logits", "last"], ["normalizer"]),
                ("Sub", ["values", "normalizer"], ["log_probabilities"]),
            ],
        ),
        (
            SCORE,
            [
                ("ReduceLogSumExp", ["logits", "last"], ["normalizers"]),
                ("Gather", ["normalizers", "rows"], ["normalizer"]),
                ("GatherND", ["logits", "places"], ["values"]),
                ("Sub", ["values", "normalizer"], ["log_probabilities"]),
            ],
        ),
    ],
    ids=["move", "select", "score"],
)
def test_the_graphs_are_those_that_are_described(
    graph: bytes, expected: list[tuple[str, list[str], list[str]]]
) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load_model_from_string(graph)
    onnx.checker.check_model(model)
    assert [(node.op_type, list(node.input), list(node.output)) for node in model.graph.node] == expected
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 20)]
