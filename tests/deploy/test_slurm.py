"""The array of Slurm, run by Slurm itself."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from biogpt_onnx import BioGPT, corpus
from makers.corpora import answer_run, documents, wait_for, write_json_lines
from makers.deployment import DEPLOY
from makers.slurm import Cluster, running_cluster

pytestmark = [pytest.mark.slurm, pytest.mark.long]

SCRIPT = DEPLOY / "slurm" / "corpus.sbatch"
TASKS = 4

Submit = Callable[[str], str]

WAITING = """
import biogpt_onnx.corpus.working.answering as answering

records = answering.UnitAnswering.records

def changed(self, unit, rows, cancel=None):
    if unit.number in {units}:
        cancel.wait(60)
    return records(self, unit, rows, cancel)

answering.UnitAnswering.records = changed
"""
"""Some units take a minute, unless the work is asked to end."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with running_cluster(tmp_path / "slurm") as started:
        yield started


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of 12 units, three for each task."""
    return prepared(tmp_path, "run")


@pytest.fixture
def expected(tmp_path: Path, mini: BioGPT) -> bytes:
    """The merged file of the run, where one process answered it without a fault."""
    answer_run(prepared(tmp_path, "undisturbed"), mini)
    return merged(tmp_path / "undisturbed")


def prepared(folder: Path, name: str) -> Path:
    source = write_json_lines(folder / "in.jsonl", documents(35, id="bad", text=" "))
    made = corpus.prepare([source], folder / name, "bc5cdr", unit_documents=3)
    assert made.units == 3 * TASKS
    return folder / name


def merged(run: Path) -> bytes:
    output = run.with_name(f"{run.name}.jsonl")
    corpus.merge(run, output)
    return output.read_bytes()


@pytest.fixture
def submit(cluster: Cluster, run: Path, mini_bundle: Path, programs: Path) -> Submit:
    """Submits the script, as its first lines say, with code that each of its processes runs; returns the job."""
    hook = run.with_name("hook")
    hook.mkdir()

    def array(code: str) -> str:
        (hook / "sitecustomize.py").write_text(code, encoding="utf-8")
        said = cluster.run(
            *("sbatch", "--parsable", f"--array=0-{TASKS - 1}", f"--output={run.parent}/%A_%a.log"),
            *(SCRIPT, run, mini_bundle, "--workers", "1", "--threads", "1"),
            PATH=f"{programs}:{os.environ['PATH']}",
            PYTHONPATH=os.pathsep.join([str(hook), *sys.path]),
        )
        return said.strip()

    return array


def test_tasks_that_are_killed_and_ended_leave_their_units_to_the_same_array_again(
    cluster: Cluster, submit: Submit, run: Path, expected: bytes
) -> None:
    killed, ended = 1 + TASKS, 2 + TASKS
    job = submit(WAITING.format(units=(killed, ended)))
    wait_for(lambda: all(list((run / "tries").glob(f"{unit:06d}.*")) for unit in (killed, ended)))
    cluster.run("scancel", "--batch", "--signal=KILL", f"{job}_1")
    # What Slurm sends two minutes before a task's time is over.
    cluster.run("scancel", "--batch", "--signal=TERM", f"{job}_2")
    states = cluster.wait_for_end(job)
    assert states == {0: "COMPLETED 0:0", 1: "FAILED 0:9", 2: "FAILED 143:0", 3: "COMPLETED 0:0"}
    assert "the same command goes on" in run.with_name(f"{job}_2.log").read_text(encoding="utf-8")
    # Each had answered the first unit of its three.
    assert corpus.status(run).done == 3 * TASKS - 4

    again = submit("")
    assert cluster.wait_for_end(again) == dict.fromkeys(range(TASKS), "COMPLETED 0:0")
    for task in range(TASKS):
        said = run.with_name(f"{again}_{task}.log").read_text(encoding="utf-8")
        assert f"3 of 3 units of shard {task}/{TASKS} done" in said
    assert merged(run) == expected
