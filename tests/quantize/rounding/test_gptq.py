"""GPTQ: products with the inputs that it knows change less than by rounding to the nearest."""

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx.quantize.packing.blocks import Blocks, best_scales
from biogpt_onnx.quantize.packing.protocol import Codes
from biogpt_onnx.quantize.rounding.gptq import pack_by_gptq

Array = npt.NDArray[np.float32]
OUT = 24


def matrix(rows: int, columns: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)


def inputs(features: int, tokens: int = 300) -> Array:
    """Features that go together in a few directions, as those of a network do."""
    directions = matrix(5, features, seed=1)
    return (matrix(tokens, 5, seed=2) @ directions + 0.2 * matrix(tokens, features, seed=3)).astype(np.float32)


def unpacked(codes: Codes, scales: Array, in_features: int) -> Array:
    low, high = (codes & 15).astype(np.float32), (codes >> 4).astype(np.float32)
    values = np.stack([low, high], axis=-1).reshape(*scales.shape, -1) - 8
    return (values * scales[:, :, None]).reshape(len(codes), -1)[:, :in_features]


def plainly(weight: Array, moments: Array, size: int) -> Array:
    """The same as the paper describes it, value by value, with the inverse of what is left computed anew each time."""
    left = weight.astype(np.float64)
    known = moments.astype(np.float64)
    known += np.eye(len(known)) * 0.1 * np.diagonal(known).mean()
    made = np.zeros_like(left)
    scales = np.zeros(len(left), dtype=np.float32)
    for feature in range(left.shape[1]):
        if feature % size == 0:
            block = np.zeros((size, len(left)), dtype=np.float32)
            part = left[:, feature : feature + size].T
            block[: len(part)] = part
            scales = best_scales(block)
        codes = np.clip(np.rint((left[:, feature] / scales).astype(np.float32)), -8, 7)
        made[:, feature] = codes * scales
        inverse = np.linalg.inv(known[feature:, feature:])
        error = (left[:, feature] - made[:, feature]) / inverse[0, 0]
        left[:, feature:] -= np.outer(error, inverse[0])
    return made.astype(np.float32)


@pytest.mark.parametrize(("features", "size"), [(64, 16), (50, 16), (32, 32), (20, 32)])
def test_the_result_is_that_of_the_plain_way(features: int, size: int) -> None:
    x, weight = inputs(features), matrix(OUT, features)
    codes, scales = pack_by_gptq(weight, x.T @ x, Blocks(4, size))
    assert (list(codes.shape), list(scales.shape)) == Blocks(4, size).shapes(OUT, features)
    found, expected = unpacked(codes, scales, features), plainly(weight, x.T @ x, size)
    # A value in the middle between two codes may go either way, and those after it with it.
    assert np.isclose(found, expected, rtol=1e-3, atol=1e-4).mean() > 0.98


@pytest.mark.parametrize("features", [128, 100])
def test_products_with_the_inputs_change_less(features: int) -> None:
    x, weight, packing = inputs(features), matrix(OUT, features), Blocks(4, 32)
    y = x @ weight.T

    def error(codes: Codes, scales: Array) -> float:
        return float(np.square(x @ unpacked(codes, scales, features).T - y).mean())

    assert error(*pack_by_gptq(weight, x.T @ x, packing)) < 0.35 * error(*packing.pack(weight))


@pytest.mark.parametrize("moments", [np.eye(48, dtype=np.float32) * 7, np.zeros((48, 48), dtype=np.float32)])
def test_features_that_know_nothing_of_each_other_are_rounded_to_the_nearest(moments: Array) -> None:
    weight, packing = matrix(OUT, 48), Blocks(4, 16)
    for found, nearest in zip(pack_by_gptq(weight, moments, packing), packing.pack(weight), strict=True):
        assert np.array_equal(found, nearest)


def test_features_that_are_always_zero_or_always_equal_do_no_harm() -> None:
    x = inputs(64)
    x[:, 3] = 0
    x[:, 5] = x[:, 4]
    weight = matrix(OUT, 64)
    codes, scales = pack_by_gptq(weight, x.T @ x, Blocks(4, 16))
    made = unpacked(codes, scales, 64)
    assert np.isfinite(made).all()
    assert np.square(x @ (made - weight).T).mean() < 0.05 * np.square(x @ weight.T).mean()


def test_rows_of_zeros_stay_zeros() -> None:
    x, weight = inputs(32), matrix(OUT, 32)
    weight[7] = 0
    codes, scales = pack_by_gptq(weight, x.T @ x, Blocks(4, 16))
    assert not unpacked(codes, scales, 32)[7].any()
    assert not np.array_equal(weight, matrix(OUT, 32)), "the weight is what it was given as"
