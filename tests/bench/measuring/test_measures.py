import dataclasses

import pytest

from biogpt_onnx.bench.measuring.measures import measures, roofline_times
from biogpt_onnx.bench.roofline import ModelSize, prefill_operations, step_bytes, step_operations
from biogpt_onnx.bench.scenarios import Scenario
from biogpt_onnx.runtime.bundle.architecture import Architecture
from makers.contenders import fake_contender

SCENARIO = Scenario("test", batch_size=2, prompt_tokens=10, new_tokens=3)
BIOGPT = Architecture(24, 1024, 16, 4096, 42_384, 1024)


def test_each_measure_is_what_the_field_means_by_it() -> None:
    found = measures(SCENARIO, [[1.0, 1.5, 2.5]])
    assert found["time_to_first_token"]["p50"] == 1.0
    assert found["inter_token_latency"]["p50"] == 0.75
    assert found["inter_token_latency"]["count"] == 2
    assert found["time_per_output_token"]["p50"] == 0.75
    assert found["end_to_end"]["p50"] == 2.5
    assert found["prefill_tokens_per_second"]["p50"] == 20.0
    assert found["decode_tokens_per_second"]["p50"] == pytest.approx(4 / 1.5)


def test_where_steps_cannot_be_seen_they_are_the_difference_of_two_generations() -> None:
    found = measures(SCENARIO, [[2.0]], [1.0])
    assert found["time_to_first_token"]["p50"] == 1.0
    assert found["time_per_output_token"]["p50"] == 0.5
    assert "inter_token_latency" not in found


def test_a_single_token_has_no_steps() -> None:
    found = measures(dataclasses.replace(SCENARIO, new_tokens=1), [[1.0]])
    assert set(found) == {"time_to_first_token", "end_to_end", "prefill_tokens_per_second"}


def test_a_negative_step_is_not_reported() -> None:
    assert "time_per_output_token" not in measures(SCENARIO, [[1.0]], [1.5])


def test_the_floors_of_biogpt_are_those_that_are_known() -> None:
    size = ModelSize.of(BIOGPT)
    # All weights but the positions.
    assert step_bytes(size, "fp32") == 4 * (346_763_264 - 1026 * 1024)
    assert step_bytes(size, "int8") == pytest.approx(0.346e9, rel=0.01)
    assert step_bytes(size, "int4") == pytest.approx(0.19e9, rel=0.04)
    assert step_bytes(size, "auto") is None
    assert step_operations(size, 5, 0) == 5 * step_operations(size, 1, 0)
    assert prefill_operations(size, 1, 128) == pytest.approx(2 * 302e6 * 128, rel=0.02)


def test_fractions_say_how_much_of_each_limit_was_reached() -> None:
    contender = fake_contender(step_bytes=500)
    found = measures(SCENARIO, [[1.0, 1.5, 2.5]])
    limits = roofline_times(contender, SCENARIO, found, bandwidth=1000.0, matmul=1e9)
    assert limits["step_bandwidth_seconds"] == 0.5
    assert limits["step_bandwidth_fraction"] == pytest.approx(0.5 / 0.75)
    assert limits["prefill_compute_fraction"] == limits["prefill_compute_seconds"]


def test_a_gpu_has_none_of_the_cores_floors() -> None:
    found = measures(SCENARIO, [[0.1 * (1 + number) for number in range(SCENARIO.new_tokens)]])
    on_gpu = dataclasses.replace(fake_contender(), device="cuda")
    assert roofline_times(on_gpu, SCENARIO, found, bandwidth=1000.0, matmul=1e9) == {}


def test_a_cold_start_is_one_number_without_floors() -> None:
    scenario = Scenario("cold", "cold start", prompt_tokens=16, new_tokens=1)
    assert measures(scenario, [[2.0], [3.0]])["cold_start"]["p50"] == 2.5
    assert roofline_times(fake_contender(), scenario, {}, 1.0, 1.0) == {}
