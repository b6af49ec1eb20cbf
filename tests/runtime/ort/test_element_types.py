import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.ort.element_types import ELEMENT_TYPES

TINY = Architecture(num_layers=2, hidden_size=16, num_heads=2, intermediate_size=3, vocab_size=10, max_positions=50)
# Between two neighbours, halfway, zeros, subnormal, beyond float16, the mask's.
VALUES = np.array([0, -0.0, 1, -1, 1 / 3, 1 + 2**-9, 1 + 3 * 2**-9, 1e-40, 70000, -3.2e38, -np.inf], dtype=np.float32)


@pytest.mark.parametrize("name", ELEMENT_TYPES)
def test_values_are_rounded_to_the_nearest_as_ml_dtypes_does(name: str) -> None:
    import ml_dtypes  # noqa: PLC0415 -- an extra

    element_type = ELEMENT_TYPES[name]
    values = np.concatenate([VALUES, np.random.default_rng(0).standard_normal(10_000).astype(np.float32)])
    with np.errstate(over="ignore"):
        expected = values.astype(ml_dtypes.bfloat16 if name == "bfloat16" else name).astype(np.float32)
    np.testing.assert_array_equal(element_type.load(element_type.store(values)), expected)


@pytest.mark.parametrize("name", ELEMENT_TYPES)
def test_a_type_takes_the_bytes_that_its_name_says(name: str) -> None:
    assert ELEMENT_TYPES[name].storage.itemsize == (4 if name == "float32" else 2)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_a_cache_of_half_precision_keeps_its_type_in_every_view(name: str) -> None:
    element_type = ELEMENT_TYPES[name]
    cache = KeyValueCache.allocate(TINY, 3, 8, element_type)
    cache.buffer[:] = element_type.store(np.arange(8, dtype=np.float32))[:, None]
    cache.lengths[:] = [2, 3, 4]
    assert cache.buffer.nbytes == 2 * cache.buffer.size
    # `keep` comes last: it moves the rows of the memory that the others look at.
    for found in (cache.values(1, 1), cache.row(1).values(1, 0), cache.keep([1, 2]).values(1, 0)):
        assert found.dtype == np.float32
        assert found.shape == (2, 2, 3, 8)
        np.testing.assert_array_equal(found[0, 1, :, 5], [0, 1, 2])


def test_onnx_runtime_reads_a_bfloat16_cache_where_it_lies() -> None:
    element_type = ELEMENT_TYPES["bfloat16"]
    cache = KeyValueCache.allocate(TINY, 1, 4, element_type)
    cache.buffer[:] = element_type.store(np.array([0.5, -3, 1e30, -np.inf], dtype=np.float32))[:, None]
    shape: list[str | int | None] = ["batch", 2, "capacity", 8]
    graph = helper.make_graph(
        [helper.make_node("Cast", ["past"], ["read"], to=TensorProto.FLOAT)],
        "reader",
        [helper.make_tensor_value_info("past", TensorProto.BFLOAT16, shape)],
        [helper.make_tensor_value_info("read", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    value = onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(cache.buffer[1, 0], element_type.onnx_type)
    binding = session.io_binding()
    binding.bind_ortvalue_input("past", value)
    binding.bind_output("read")
    session.run_with_iobinding(binding)
    np.testing.assert_array_equal(binding.copy_outputs_to_cpu()[0], element_type.load(cache.buffer[1, 0]))
    assert value.data_ptr() == cache.buffer[1, 0].ctypes.data
