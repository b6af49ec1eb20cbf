import pytest

from biogpt_onnx.bench.scenarios import SUITES, WORKLOADS, catalogue, select
from biogpt_onnx.runtime.errors import ConfigError


def test_the_whole_grid_has_every_combination() -> None:
    grid = {
        (s.batch_size, s.prompt_tokens, s.new_tokens, s.num_beams, s.single_thread)
        for s in select(["full"])
        if s.kind == "generation" and s.workload is None
    }
    expected = {
        (batch, prompt, new, beams, single)
        for batch in (1, 4, 8)
        for prompt in (16, 128, 512)
        for new in (32, 128)
        for beams in (1, 5)
        for single in (False, True)
    }
    assert grid - expected == {(batch, 900, 32, 1, False) for batch in (1, 4, 8)}
    assert expected <= grid


def test_the_standard_suite_has_every_workload_and_a_cold_start() -> None:
    found = {scenario.name: scenario for scenario in select([])}
    assert set(WORKLOADS) <= set(found)
    assert found["BC5CDR"].prompt_tokens == 242
    assert found["BC5CDR"].new_tokens == 16
    assert any(scenario.kind == "cold start" for scenario in found.values())
    assert {scenario.batch_size for scenario in found.values()} == {1, 4, 8}


def test_names_and_suites_mix_and_nothing_is_measured_twice() -> None:
    names = [scenario.name for scenario in select(["HoC", "quick", "HoC"])]
    assert names == ["HoC", *SUITES["quick"]]


def test_an_unknown_scenario_is_named() -> None:
    with pytest.raises(ConfigError, match="scenario is 'fast': choose a suite \\(quick, standard, full\\)"):
        select(["fast"])


def test_the_list_names_every_scenario() -> None:
    text = catalogue()
    assert all(name in text for name in SUITES["full"])
    assert "4 prompts of 512 tokens, 128 new, 5 beams, one thread" in text
