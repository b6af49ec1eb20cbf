"""The processes that the benchmarks measure: started, asked, looked at, and ended."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from biogpt_onnx.bench.measuring.process import ContenderError, PinnedProcess
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from makers.checkpoints import tiny_architecture, write_huggingface
from makers.contenders import Scripts

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="runs in the checkout only"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc"),
]

SERVING = """
import os, sys, time
from benchmarks.serving import serve

def load():
    print("loading")
    os.write(1, b"from C\\n")
    if "broken" in sys.argv:
        raise ValueError("no such\\nmodel")
    return {"cores": sorted(os.sched_getaffinity(0))}, {
        "add": lambda first, second: {"sum": first + second},
        "sleep": lambda seconds: time.sleep(seconds) or {},
    }

serve(load)
"""


@pytest.fixture
def serving(tmp_path: Path) -> list[str]:
    script = tmp_path / "serving.py"
    script.write_text(SERVING, encoding="utf-8")
    return [sys.executable, str(script)]


def start(benchmarks: Scripts, command: list[str], tmp_path: Path) -> PinnedProcess:
    cores = sorted(os.sched_getaffinity(0))[:1]
    environment = benchmarks("processes").checkout_environment()
    return PinnedProcess(command, cores, tmp_path / "log", environment)


def test_requests_are_answered_on_the_cores_that_were_given(
    benchmarks: Scripts, serving: list[str], tmp_path: Path
) -> None:
    with start(benchmarks, serving, tmp_path) as process:
        assert process.hello == {"cores": sorted(os.sched_getaffinity(0))[:1]}
        assert process.ask({"add": {"first": 1, "second": 2}}) == {"sum": 3}
        with pytest.raises(ContenderError, match="KeyError"):
            process.ask({"dance": {}})
        with pytest.raises(ContenderError, match="unexpected keyword argument"):
            process.ask({"add": {"third": 1}})
        assert process.ask({"add": {"first": 3, "second": 4}}) == {"sum": 7}
    assert "from C" in (tmp_path / "log").read_text()


def test_what_cannot_be_loaded_is_said_in_one_line(benchmarks: Scripts, serving: list[str], tmp_path: Path) -> None:
    with pytest.raises(ContenderError, match=r"^ValueError: no such model$"):
        start(benchmarks, [*serving, "broken"], tmp_path)


def test_a_request_may_have_less_patience_than_its_process(
    benchmarks: Scripts, serving: list[str], tmp_path: Path
) -> None:
    with start(benchmarks, serving, tmp_path) as process:
        assert process.ask({"sleep": {"seconds": 0}}, patience=60) == {}
        with pytest.raises(ContenderError, match=r"did not answer within 0\.5 seconds"):
            process.ask({"sleep": {"seconds": 600}}, patience=0.5)


@pytest.fixture(scope="module")
def wide_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with BioGPT's vocabulary, from which random prompts are drawn."""
    folder = tmp_path_factory.mktemp("wide")
    checkpoint = write_huggingface(folder / "checkpoint", tiny_architecture(vocab_size=42_384, max_positions=300))
    export_bundle(open_checkpoint(checkpoint), folder / "bundle")
    return folder / "bundle"


def test_two_processes_of_a_bundle_tell_their_memory(benchmarks: Scripts, wide_bundle: Path, tmp_path: Path) -> None:
    processes = benchmarks("processes")
    arguments = ("micro.loaded_bundle", wide_bundle, 1, tmp_path / "cache")
    with processes.started(*arguments, threads=1) as first, processes.started(*arguments, threads=1) as second:
        assert first.hello["load_seconds"] > 0
        for process in (first, second):
            assert process.ask({"compute": {}}) == {}
            memory = processes.memory_of(process)
            assert memory["resident_bytes"] > memory["proportional_bytes"] > memory["private_bytes"] > 1_000_000
            assert memory["resident_bytes"] > memory["anonymous_bytes"] > 1_000_000


def test_many_callers_are_measured_and_become_tables(
    benchmarks: Scripts, wide_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = benchmarks("micro.concurrency")
    monkeypatch.setattr(program, "make_recipe_bundles", lambda _, recipes: {recipes[0]: wide_bundle})
    for name, value in {"NEW_TOKENS": 4, "LONG_PROMPT_TOKENS": 200, "ROUNDS": 1, "THREADS": 1}.items():
        monkeypatch.setattr(program, name, value)
    monkeypatch.setattr(sys, "argv", ["concurrency", "--output", str(tmp_path / "found.json"), "--clients", "2"])
    program.main()
    run = json.loads((tmp_path / "found.json").read_text())
    assert len(run["ways"]["concurrent"]["samples"]) == 1
    assert run["reading"]["concurrent"]["num_while_reading"] >= 1
    text = benchmarks("report.tables.runtime").concurrency_table(run)
    assert "2 callers at once" in text
    assert "| one after the other |" in text
    assert text.count("| concurrent |") == 2


@pytest.mark.parametrize("kind", ["prepacked", "mapped"])
def test_a_worker_measures_steps_and_searches(benchmarks: Scripts, mini_bundle: Path, kind: str) -> None:
    ids = [2, *np.random.default_rng(0).integers(4, 8000, 15).tolist()]
    with benchmarks("micro.worker").worker(kind, mini_bundle, 1) as worker:
        assert worker.loading["resident_bytes"] > worker.loading["anonymous_bytes"] > 1_000_000
        assert worker.loading["load_seconds"] > 0
        steps = worker.measure(ids, 3)
        beams = worker.measure_search([ids], 4, 5)
    assert len(steps.steps) == 3
    assert len(beams.steps) == 4
    assert min(steps.prefill, beams.prefill, *steps.steps, *beams.steps) > 0


@pytest.mark.long
def test_a_worker_of_transformers_measures_steps_and_searches(benchmarks: Scripts, mini_checkpoint: Path) -> None:
    pytest.importorskip("transformers")
    with benchmarks("micro.worker").worker("transformers", mini_checkpoint, 1) as worker:
        assert len(worker.measure([2, 5, 6], 2).steps) == 2
        assert len(worker.measure_search([[2, 5, 6], [2, 7, 8]], 2, 2).steps) == 2


def test_a_command_that_fails_is_named(benchmarks: Scripts) -> None:
    command = [sys.executable, "-c", "raise SystemExit(3)"]
    with pytest.raises(RuntimeError, match=r"raise SystemExit\(3\) ended with 3"):
        benchmarks("processes").run_to_end(command)


def test_the_peak_of_a_commands_memory_is_seen(benchmarks: Scripts) -> None:
    program = "import os, time; block = bytearray(80_000_000); time.sleep(0.5)"
    watched = benchmarks("processes").run_to_end([sys.executable, "-c", program], watch_memory=True)
    assert 80_000_000 < watched.peak_anonymous_bytes < 200_000_000
    assert watched.peak_resident_bytes > watched.peak_anonymous_bytes
    assert watched.samples > 1
    assert watched.seconds >= 0.5
    ended = benchmarks("processes").run_to_end([sys.executable, "-c", "pass"])
    assert (ended.peak_anonymous_bytes, ended.peak_resident_bytes, ended.samples) == (0, 0, 0)


def test_the_processor_time_of_a_command_is_its_own(benchmarks: Scripts) -> None:
    program = "import time\nwhile time.process_time() < 0.5: pass"
    assert benchmarks("processes").run_to_end([sys.executable, "-c", program]).cpu_seconds >= 0.5
    # The next one starts from nothing, though the first one's time stays with this process.
    idle = benchmarks("processes").run_to_end([sys.executable, "-c", "pass"])
    assert 0 < idle.cpu_seconds < idle.seconds + 0.1


def test_a_command_has_the_variables_that_it_is_given(benchmarks: Scripts, tmp_path: Path) -> None:
    target = tmp_path / "value"
    program = f"import os; open({str(target)!r}, 'w').write(os.environ['SAID'])"
    benchmarks("processes").run_to_end([sys.executable, "-c", program], {"SAID": "yes"})
    assert target.read_text() == "yes"


PROGRAMS = [
    "compare.__main__",
    "compare.peers.environments",
    "gpu.__main__",
    "micro.fp32.__main__",
    "micro.quantized",
    "micro.quantizing",
    "micro.search.__main__",
    "micro.shared_weights",
    "micro.small_memory.__main__",
    "report.__main__",
    "tasks.quality",
    "tasks.recipe_quality",
    "tasks.speed",
]


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_says_how_it_is_called(
    benchmarks: Scripts, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["program", "--help"])
    with pytest.raises(SystemExit) as stop:
        benchmarks(name).main()
    assert stop.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"python -m benchmarks.{name.removesuffix('.__main__')}" in said


def test_no_documents_are_refused(
    benchmarks: Scripts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["search", "--output", str(tmp_path / "search.json"), "--documents", "0"]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit):
        benchmarks("micro.search.__main__").main()
    assert "--documents is 0: give 1 or more" in capsys.readouterr().err


def test_results_are_printed_without_their_samples_and_written_with_them(benchmarks: Scripts, tmp_path: Path) -> None:
    results_file = benchmarks("results_file")
    results: dict[str, Any] = {"seconds": 1.0, "samples": [1.0], "inner": {"samples": [2.0], "kept": 3}}
    assert json.loads(results_file.summarized(results)) == {"seconds": 1.0, "inner": {"kept": 3}}
    results_file.write_results(tmp_path / "results.json", results)
    assert json.loads((tmp_path / "results.json").read_text()) == results
    assert set(results_file.stamp()) == {"started", "machine"}
