import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx_ir as ir
import pytest

from biogpt_onnx.export.graph.builder import GraphBuilder
from biogpt_onnx.export.graph.layers import EmbeddingFactory, HeadFactory, Layer
from biogpt_onnx.quantize.packing.blocks import Blocks
from biogpt_onnx.quantize.packing.layers import BlockTable, PackedHead, PackedLinear, RowTable
from biogpt_onnx.quantize.packing.packed_weights import PackedWeights
from biogpt_onnx.quantize.packing.protocol import VALUES_AT_ONCE
from biogpt_onnx.quantize.packing.rows import Rows
from biogpt_onnx.quantize.packing.static_scale import StaticScale, static_scale
from biogpt_onnx.runtime.ort.providers import import_onnxruntime

Array = npt.NDArray[np.float32]

# Odd on purpose: no multiple of any block.
IN, OUT = 97, 45

LINEAR: dict[str, Callable[[PackedWeights], Callable[[GraphBuilder, str, int, int], Layer]]] = {
    "8 bits": lambda packed: partial(PackedLinear, packed=packed, packing=Blocks(8, 32)),
    "8 bits, one block": lambda packed: partial(PackedLinear, packed=packed, packing=Blocks(8, 128)),
    "4 bits": lambda packed: partial(PackedLinear, packed=packed, packing=Blocks(4, 32)),
    "rows of 7 bits": lambda packed: partial(PackedLinear, packed=packed, packing=Rows(7)),
    "rows of 8 bits": lambda packed: partial(PackedLinear, packed=packed, packing=Rows(8)),
}
# Of the result's length: about a step of the codes over the largest of so many normally distributed values.
TOLERANCE = {
    "8 bits": 0.012,
    "8 bits, one block": 0.015,
    "4 bits": 0.12,
    "rows of 7 bits": 0.02,
    "rows of 8 bits": 0.015,
}
ROWS = [kind for kind in LINEAR if kind.startswith("rows")]
TABLES: dict[str, tuple[Callable[[PackedWeights], tuple[HeadFactory, EmbeddingFactory]], float]] = {
    "blocks": (lambda packed: _factories(BlockTable, packed=packed, packing=Blocks(8, 32)), 1 / 250),
    "rows of 7 bits": (lambda packed: _factories(RowTable, packed=packed, packing=Rows(7)), 1 / 125),
    "rows of 8 bits": (lambda packed: _factories(RowTable, packed=packed, packing=Rows(8)), 1 / 250),
}


PACKINGS = [Blocks(4, 128), Blocks(4, 16), Blocks(8, 256), Rows(7), Rows(8)]


def _factories(table: Any, **settings: Any) -> tuple[HeadFactory, EmbeddingFactory]:
    return partial(PackedHead, **settings), partial(table, **settings)


def random(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def run_linear(kind: str, weight: Array, bias: Array, x: Array) -> Array:
    packed = PackedWeights()
    graph = GraphBuilder()
    layer = LINEAR[kind](packed)(graph, "layer", weight.shape[1], weight.shape[0])
    inputs = graph.input("x", ir.DataType.FLOAT, ["rows", weight.shape[1]])
    graph.output(layer(inputs), "y", ir.DataType.FLOAT, ["rows", weight.shape[0]])
    return run(graph, packed, {"layer.weight": weight, "layer.bias": bias}, {"x": x})[0]


def run(
    graph: GraphBuilder, packed: PackedWeights, weights: dict[str, Array], inputs: dict[str, npt.NDArray[np.generic]]
) -> list[Array]:
    model = graph.build("test")
    packed.attach(model, weights.__getitem__)
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    proto = ir.serde.serialize_model(model).SerializeToString()
    session = onnxruntime.InferenceSession(proto, options, providers=["CPUExecutionProvider"])
    outputs: list[Array] = session.run(None, inputs)
    return outputs


def relative_error(found: Array, expected: npt.NDArray[np.floating]) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize("kind", LINEAR)
def test_a_packed_layer_computes_what_the_float_layer_does(kind: str) -> None:
    weight, bias, x = random(OUT, IN), random(OUT, seed=1), random(5, IN, seed=2)
    assert relative_error(run_linear(kind, weight, bias, x), x @ weight.T + bias) < TOLERANCE[kind]


@pytest.mark.parametrize("kind", LINEAR)
def test_output_features_of_very_different_size_all_stay_exact(kind: str) -> None:
    sizes = np.logspace(-20, 15, OUT, dtype=np.float32)[:, None]
    weight, x = random(OUT, IN) * sizes, random(3, IN, seed=2)
    found, expected = run_linear(kind, weight, np.zeros(OUT, dtype=np.float32), x), x @ weight.T
    assert relative_error(found / sizes.T, expected / sizes.T) < TOLERANCE[kind]


@pytest.mark.parametrize("kind", LINEAR)
def test_zeros_in_activations_or_weights_do_no_harm(kind: str) -> None:
    weight, bias, x = random(OUT, IN), random(OUT, seed=1), random(3, IN, seed=2)
    weight[7], x[1] = 0, 0
    found = run_linear(kind, weight, bias, x)
    np.testing.assert_array_equal(found[1], bias)
    np.testing.assert_array_equal(found[:, 7], bias[7])
    assert relative_error(found, x @ weight.T + bias) < TOLERANCE[kind]


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("size", [1e-25, 1e-8, 1e8, 1e25])
def test_rows_of_any_size_keep_their_precision(size: float, kind: str) -> None:
    weight, x = random(OUT, IN), random(3, IN, seed=2) * np.float32(size)
    expected = x.astype(np.float64) @ weight.T
    assert relative_error(run_linear(kind, weight, np.zeros(OUT, dtype=np.float32), x), expected) < TOLERANCE[kind]


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_weights_and_activations_together_do_not_saturate(kind: str, sign: int) -> None:
    # What signed 8-bit weights do on CPUs without VNNI: sums of two products leave 16 bits.
    weight, x = np.ones((OUT, IN), dtype=np.float32), np.full((2, IN), sign, dtype=np.float32)
    found = run_linear(kind, weight, np.zeros(OUT, dtype=np.float32), x)
    np.testing.assert_allclose(found, np.full((2, OUT), sign * IN), rtol=1e-5)


def run_static(weight: Array, bias: Array, x: Array, scale: StaticScale) -> Array:
    packed, graph = PackedWeights(), GraphBuilder()
    layer = PackedLinear(graph, "layer", IN, OUT, packed=packed, packing=Rows(7), static=scale)
    inputs = graph.input("x", ir.DataType.FLOAT, ["rows", IN])
    graph.output(layer(inputs), "y", ir.DataType.FLOAT, ["rows", OUT])
    return run(graph, packed, {"layer.weight": weight, "layer.bias": bias}, {"x": x})[0]


@pytest.mark.parametrize("behind_gelu", [False, True])
def test_one_scale_for_all_rows_computes_what_the_float_layer_does(*, behind_gelu: bool) -> None:
    weight, bias, x = random(OUT, IN), random(OUT, seed=1), random(5, IN, seed=2)
    if behind_gelu:
        x = np.maximum(x, np.float32(-0.17))
    found = run_static(weight, bias, x, static_scale(float(np.abs(x).max()), behind_gelu=behind_gelu))
    assert relative_error(found, x @ weight.T + bias) < TOLERANCE["rows of 7 bits"]


def test_with_one_scale_a_row_has_the_same_bits_beside_any_others() -> None:
    weight, bias, x = random(OUT, IN), random(OUT, seed=1), random(20, IN, seed=2)
    together = run_static(weight, bias, x, static_scale(4.0, behind_gelu=False))
    for rows in (1, 2, 3, 5, 16):
        alone = run_static(weight, bias, x[:rows], static_scale(4.0, behind_gelu=False))
        np.testing.assert_array_equal(alone, together[:rows])


@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_codes_of_one_scale_do_not_saturate(sign: int) -> None:
    # Behind a GELU a code may be 255 above the zero point, twice what a scale for each row reaches.
    weight, x = np.full((OUT, IN), sign, dtype=np.float32), np.full((2, IN), 4, dtype=np.float32)
    found = run_static(weight, np.zeros(OUT, dtype=np.float32), x, static_scale(4.0, behind_gelu=True))
    np.testing.assert_allclose(found, np.full((2, OUT), sign * 4 * IN), rtol=4e-3)


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize(("vocab_size", "hidden_size"), [(50, 72), (50, 128)])
def test_table_and_head_share_codes_and_say_the_same_of_a_weight(kind: str, vocab_size: int, hidden_size: int) -> None:
    packed, graph = PackedWeights(), GraphBuilder()
    make, error = TABLES[kind]
    make_head, make_table = make(packed)
    table = make_table(graph, "table", vocab_size, hidden_size)
    head = make_head(graph, "table", hidden_size, vocab_size)
    assert sorted(graph.parameters) == ["table.codes", "table.scales"]
    ids = graph.input("ids", ir.DataType.INT64, ["batch", "sequence"])
    x = graph.input("x", ir.DataType.FLOAT, ["rows", hidden_size])
    graph.output(table(ids), "rows_of_table", ir.DataType.FLOAT, ["batch", "sequence", hidden_size])
    graph.output(head(x), "logits", ir.DataType.FLOAT, ["rows", vocab_size])
    weight, every = random(vocab_size, hidden_size), np.arange(vocab_size).reshape(2, -1)
    rows, logits = run(graph, packed, {"table": weight}, {"ids": every, "x": np.eye(hidden_size, dtype=np.float32)})
    assert rows.shape == (2, vocab_size // 2, hidden_size)
    np.testing.assert_allclose(rows.reshape(vocab_size, -1), weight, atol=np.abs(weight).max() * error)
    # Kernels for ARM64 give a row of activations one scale and an offset, which are rounded.
    np.testing.assert_allclose(logits.T, rows.reshape(vocab_size, -1), atol=2e-5)


@pytest.mark.parametrize("bits", [4, 8])
def test_blocks_are_no_further_from_a_weight_than_half_a_step(bits: int) -> None:
    weight = random(3, 64)
    codes, scales = Blocks(bits, 32).pack(weight)  # type: ignore[arg-type]
    if bits == 4:
        codes = np.stack([codes & 15, codes >> 4], axis=-1).reshape(3, 2, 32)
    error = (codes.astype(np.float32) - (1 << (bits - 1))) * scales[..., None] - weight.reshape(3, 2, 32)
    # With four bits the scale may be smaller than the largest value asks for, if that serves the others.
    largest = np.abs(scales)[..., None] * (0.5 if bits == 8 else 2.5)
    assert (np.abs(error) <= largest * 1.0001).all()


def test_four_bits_find_a_scale_with_less_error_than_the_widest() -> None:
    weight = random(64, 32)
    codes, scales = Blocks(4, 32).pack(weight)
    unpacked = np.stack([codes & 15, codes >> 4], axis=-1).reshape(64, 32).astype(np.float32) - 8
    step = np.abs(weight).max(axis=1, keepdims=True) / 8
    widest = np.clip(np.rint(weight / step), -8, 7) * step
    assert np.square(unpacked * scales - weight).sum() < 0.95 * np.square(widest - weight).sum()


@pytest.mark.parametrize("packing", PACKINGS, ids=str)
def test_a_matrix_of_more_rows_than_are_packed_at_once_is_packed_whole(packing: Blocks | Rows) -> None:
    weight = random(2 * VALUES_AT_ONCE // 16 + 1, 16)
    codes, scales = packing.pack(weight)
    last_codes, last_scales = packing.pack(weight[-1:])
    np.testing.assert_array_equal(codes[:, -1:] if isinstance(packing, Rows) else codes[-1:], last_codes)
    np.testing.assert_array_equal(scales[-1:], last_scales)


@pytest.mark.parametrize("packing", PACKINGS, ids=str)
def test_packing_takes_memory_for_its_result_and_a_few_pieces(packing: Blocks | Rows) -> None:
    weight = random(4000, 1000)
    tracemalloc.start()
    try:
        codes, scales = packing.pack(weight)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    piece = 4 * VALUES_AT_ONCE
    assert peak < codes.nbytes + scales.nbytes + 6 * piece
    assert 6 * piece < weight.nbytes / 4


@pytest.mark.parametrize("size", [16, 32, 128, 256, 512])
def test_four_bits_choose_the_scales_that_a_search_block_by_block_does(size: int) -> None:
    weight = random(60, 2 * size) * np.logspace(-3, 3, 60, dtype=np.float32)[:, None]
    weight[0], weight[1, :size], weight[2] = 0, 1e-45, np.sign(weight[2])
    _, scales = Blocks(4, size).pack(weight)
    for block, scale in zip(weight.reshape(-1, size), scales.ravel(), strict=True):
        widest = block[np.abs(block).argmax()] / np.float32(-8)
        widest = np.float32(0) if abs(widest) < np.finfo(np.float32).tiny else widest
        tried = [np.float32(widest * factor) for factor in np.linspace(0.80, 1.10, 16, dtype=np.float32)]
        errors = [np.square(np.clip(np.rint(block / (one or 1)), -8, 7) * one - block).sum() for one in tried]
        assert scale == tried[int(np.argmin(errors))]


@pytest.mark.parametrize("bits", [7, 8])
def test_packed_rows_lie_as_integer_products_take_them(bits: Literal[7, 8]) -> None:
    weight, packing = random(OUT, IN), Rows(bits)
    codes, scales = packing.pack(weight)
    assert (codes.shape, scales.shape) == tuple(map(tuple, packing.shapes(OUT, IN)))
    assert codes.dtype == packing.dtype.numpy()
    values = (codes.T.astype(np.float32) - packing.zero_point) * scales[:, None]
    np.testing.assert_allclose(values, weight, atol=scales.max() / 2)


def test_seven_bits_fit_what_cpus_without_vnni_sum_up() -> None:
    codes, _ = Rows(7).pack(random(OUT, IN))
    # Two products with the largest activation, in 16 bits with a sign.
    assert 2 * 255 * int(np.abs(codes.astype(np.int32)).max()) < 2**15
