"""The GPU's benchmark, as far as it can be run without one."""

import dataclasses
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.backends.cuda.outputs import DeviceTokenScores
from biogpt_onnx.runtime.backends.cuda.session import DeviceSession
from makers.contenders import Scripts
from makers.devices import CapturingSession

ROOT = Path(__file__).parents[2]
PARTS = [
    "environment",
    "checks fp16",
    "bandwidth",
    "models",
    "speed mini",
    "transformers mini",
    "transformers compiled mini",
]

pytestmark = pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="runs in the checkout only")


@pytest.fixture(scope="module")
def dry_run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a whole dry run wrote."""
    output = tmp_path_factory.mktemp("gpu") / "gpu.json"
    command = [sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--output", str(output)]
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    return read(output)


def read(path: Path) -> dict[str, Any]:
    results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return results


@pytest.mark.long
def test_every_part_is_there_and_none_met_an_error(dry_run: dict[str, Any], benchmarks: Scripts) -> None:
    gpu_parts = benchmarks("gpu.parts")
    assert list(dry_run["parts"]) == PARTS
    assert gpu_parts.errors_in(dry_run) == []
    assert {part["status"] for part in dry_run["parts"].values()} == {"done"}
    assert dry_run["dry_run"]


@pytest.mark.long
def test_all_checks_pass_where_a_cpu_stands_in(dry_run: dict[str, Any]) -> None:
    checks = dry_run["parts"]["checks fp16"]["checks"]
    assert {name: check["passed"] for name, check in checks.items()} == dict.fromkeys(checks, True)
    assert len(checks) == 19
    assert dry_run["passed"] is True
    assert checks["drafts"]["steps"] < checks["drafts"]["tokens"] - 8
    assert "stop" in checks["stop strings"]["finish_reasons"]
    assert "does not fit in the device's memory" in checks["memory"]["message"]
    assert set(checks["logits"]["differences_to_spread"]) == {"prompt", "prompt in two pieces", "steps"}


@pytest.mark.long
def test_the_environment_says_which_nodes_run_where(dry_run: dict[str, Any]) -> None:
    environment = dry_run["parts"]["environment"]
    for graph, least in {"causal": 20, "move": 1, "select": 3, "score": 4}.items():
        placement = environment["nodes"]["fp16"][graph]
        assert placement is None or placement["nodes"]["CPUExecutionProvider"] >= least
    assert environment["machine"]["versions"]["numpy"] == np.__version__
    assert "CPUExecutionProvider" in environment["onnxruntime"]["providers"]


@pytest.mark.long
def test_everything_is_measured_and_its_samples_are_kept(dry_run: dict[str, Any]) -> None:
    speed = dry_run["parts"]["speed mini"]
    assert set(speed["batches"]) == {"1", "3"}
    assert set(speed["time_to_first_token"]) == {"16", "64"}
    for one in (*speed["batches"].values(), speed["single_steps"]["not_captured"], *speed["beams"].values()):
        assert one["step_seconds"] > 0
        assert one["step_to_floor"] == pytest.approx(one["step_seconds"] / speed["floor_seconds"])
        assert len(one["samples"]) == 2
    for one in (*speed["batches"].values(), *speed["beams"].values()):
        assert len(one["first_token_samples"]) == 2
    for name in ("transformers mini", "transformers compiled mini"):
        beside = dry_run["parts"][name]["batches"]["1"]
        # Their step is the difference of two generations, which on a busy machine may come out below 0.
        for what in ("first_token", "step"):
            ours, theirs = (beside[who][f"{what}_seconds"] for who in ("ours", "transformers"))
            assert ours > 0
            assert beside[f"{what}_to_transformers"] == pytest.approx(ours / theirs)
        assert len(beside["transformers"]["samples"]["step"]) == 2
    assert [goal["met"] for goal in dry_run["goals"]] == [None] * 3


@pytest.mark.long
def test_a_part_that_fails_is_recorded_and_the_others_go_on(
    benchmarks: Scripts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gpu = benchmarks("gpu.__main__")

    def fail() -> None:
        raise OSError("no such card")

    monkeypatch.setattr(benchmarks("gpu.environment"), "describe", fail)
    output = tmp_path / "gpu.json"
    gpu.main(["--device", "cpu", "--output", str(output), "--parts", "environment", "models"])
    parts = read(output)["parts"]
    assert (parts["environment"]["status"], parts["models"]["status"]) == ("failed", "done")
    error = parts["environment"]["error"]
    assert (error["type"], error["message"]) == ("OSError", "no such card")
    assert "fail" in error["frames"][-1]
    assert parts["models"]["mini"]["fp16_seconds"] > 0
    assert not output.with_name("gpu.json.partial").exists()


def test_what_time_is_not_left_for_is_recorded(benchmarks: Scripts, tmp_path: Path) -> None:
    gpu = benchmarks("gpu.__main__")
    output = tmp_path / "gpu.json"
    gpu.main(["--device", "cpu", "--output", str(output), "--seconds", "0"])
    results = read(output)
    assert results["parts"] == {name: {"status": "not run: out of time"} for name in PARTS}
    assert results["passed"] is False


def test_a_part_that_takes_too_long_keeps_what_it_found(benchmarks: Scripts) -> None:
    gpu_parts = benchmarks("gpu.parts")
    seconds = iter([0.0, 1.0, 11.0, 12.0])
    clock = gpu_parts.Clock(10, lambda: next(seconds))
    results: dict[str, Any] = {}
    written: list[str] = []

    def long(found: dict[str, Any]) -> None:
        found["first"] = gpu_parts.attempt(lambda: {"value": 1})
        gpu_parts.attempt(clock.check)

    gpu_parts.run_parts({"long": long, "late": long}, results, clock, lambda: written.append(json.dumps(results)))
    assert results["long"] == {"status": "broken off: out of time", "first": {"value": 1}, "seconds": 0.0}
    assert results["late"] == {"status": "not run: out of time"}
    # Were it killed in the midst of a part, the file would say in which.
    assert json.loads(written[0]) == {"long": {"status": "running"}}


def test_an_error_within_a_part_shows_in_its_status(benchmarks: Scripts) -> None:
    gpu_parts = benchmarks("gpu.parts")
    results: dict[str, Any] = {}

    def half(found: dict[str, Any]) -> None:
        found["list"] = [gpu_parts.attempt(lambda: found["missing"])]

    gpu_parts.run_parts({"half": half}, results, gpu_parts.Clock(10), lambda: None)
    assert results["half"]["status"] == "done, with errors"
    assert [error["type"] for error in gpu_parts.errors_in(results)] == ["KeyError"]


@pytest.mark.long
def test_a_model_that_cannot_be_made_says_why(benchmarks: Scripts, tmp_path: Path) -> None:
    making = benchmarks("gpu.models").Making("no-such-size", tmp_path)
    with pytest.raises(RuntimeError, match=r"no-such-size was not made: .*no preset 'no-such-size'"):
        making.result(60)


def test_goals_are_met_or_not_by_what_was_measured(benchmarks: Scripts) -> None:
    parts = {
        "speed biogpt": {"batches": {"1": {"step_to_floor": 2.5}}},
        "transformers biogpt": {"batches": {"1": {"error": {"type": "RuntimeError"}}}},
        "speed biogpt-large": {"batches": {"1": {"step_to_floor": 1.81}}},
    }
    found = benchmarks("gpu.goals").reached(parts)
    assert [(goal["measured"], goal["met"]) for goal in found] == [(2.5, True), (None, None), (1.81, False)]


def nearness_by(benchmarks: Scripts, limit: float) -> Any:
    """Of tokens whose float32 logits are 0, 1, ... 9 wherever they stand."""
    logits = np.arange(10, dtype=np.float32)
    exact = SimpleNamespace(logits=lambda ids: np.tile(logits, (len(ids), 1)))
    return benchmarks("gpu.checks.nearness").Nearness(exact, limit)


def test_only_tokens_between_which_rounding_may_decide_pass_for_equal(benchmarks: Scripts) -> None:
    nearness = partial(nearness_by, benchmarks)
    # The spread of the logits is 2.87.
    found = nearness(0.2).of_tokens([[2], [2]], [[9, 8, 1], [9, 9]], [[9, 9, 2], [9, 9]])
    assert (found["passed"], found["rows"], found["equal"]) == (True, 2, 1)
    (difference,) = found["differences"]
    assert (difference["row"], difference["position"], difference["apart"]) == (0, 1, 1.0)
    assert not nearness(0.2).of_tokens([[2]], [[9, 7]], [[9, 9]])["passed"]
    assert not nearness(0.2).of_tokens([[2]], [[9]], [[9, 9]])["passed"], "one ends early"
    assert nearness(0.01).of_samples([[2]], [[9]], [[8]], 4)["passed"], "neighbours among those drawn from"
    assert not nearness(0.01).of_samples([[2]], [[9]], [[7]], 4)["passed"]
    assert nearness(0.01).of_best([[2]], [[9, 9]], [[9, 8]])["passed"], "ours is likelier"
    assert not nearness(0.01).of_best([[2]], [[9, 8]], [[9, 9]])["passed"]


@pytest.fixture
def subject(benchmarks: Scripts, mini_bundle: Path, tmp_path: Path) -> Any:
    """What is checked, with a CPU in the place of the card."""
    (tmp_path / "fp32").symlink_to(mini_bundle)
    quantize_bundle(mini_bundle, tmp_path / "fp16", RECIPES["fp16"])
    parts, models, subjects = (benchmarks(f"gpu.{name}") for name in ("parts", "models", "checks.subject"))
    return subjects.Subject.open(tmp_path, "fp16", models.ACCELERATORS["cpu"], parts.Clock(60), dry=True)


@pytest.mark.long
def test_where_steps_are_captured_all_must_be_but_those_with_drafts(subject: Any, benchmarks: Scripts) -> None:
    states = benchmarks("gpu.checks.states")
    subject = dataclasses.replace(subject, accelerator=dataclasses.replace(subject.accelerator, captures=True))
    captures = subject.session._captures
    subject.session._captures = True
    subject.session._causal = CapturingSession(subject.session._causal)
    found = states.captured_steps(subject)
    assert found["passed"]
    assert found["captured"]["5 beams"] == found["steps"]["5 beams"] > 0
    assert found["captured"]["drafts"] < found["steps"]["drafts"]
    subject.session._captures = captures
    assert not states.captured_steps(subject)["passed"]


def test_a_device_that_computes_other_tokens_does_not_pass(
    subject: Any, benchmarks: Scripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = DeviceSession.step

    class Wrong(DeviceTokenScores):
        def top_tokens(self, count: int) -> Any:
            ids, log_probabilities = super().top_tokens(count) or (np.empty(0), np.empty(0))
            return np.roll(ids, 1) + 1, log_probabilities

        def logits(self) -> Any:
            return super().logits() * np.float32(1.1)

    def wrong_step(session: DeviceSession, *given: Any) -> Wrong:
        following = step(session, *given)
        return Wrong(following.rows, following.vocab_size, session._lock)

    monkeypatch.setattr(DeviceSession, "step", wrong_step)
    answers, states = (benchmarks(f"gpu.checks.{kind}") for kind in ("answers", "states"))
    assert not answers.greedy_beside_float32(subject)["passed"]
    assert not answers.samples(subject)["passed"]
    found = states.logits(subject)
    assert not found["passed"]
    assert (
        found["differences_to_spread"]["prompt"]["largest"] < 0.01 < found["differences_to_spread"]["steps"]["largest"]
    )
