"""Processes that are killed, crash and hang: afterwards nothing is missing, nothing doubled, and no byte differs."""

import os
import signal
import sys
from pathlib import Path

import pytest

from biogpt_onnx import corpus
from makers.corpora import claiming, end_of, start_work, wait_for
from makers.faults import CRASHING, IN_UNIT, Merged, Scene

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills processes by signals")

DYING = """
import os
import sys

if "biogpt_onnx.corpus.working.process" in sys.orig_argv:
    os._exit(9)
"""

CLOCK_APART = """
import time

there = time.time
time.time = lambda: there() + {seconds}
"""

SLOW_FOLDER = """
import os
import time

link, fsync, replace = os.link, os.fsync, os.replace

def late(function):
    def called(*arguments):
        time.sleep(0.2)
        return function(*arguments)
    return called

os.link, os.fsync, os.replace = late(link), late(fsync), late(replace)
"""


@pytest.fixture
def scene(run: Path, mini_bundle: Path, expected: bytes, merged: Merged) -> Scene:
    return Scene(run, mini_bundle, expected, merged)


def test_a_worker_that_is_killed_within_a_unit_is_started_again(scene: Scene) -> None:
    process = scene.start_slow()
    scene.flag.touch()
    (worker,) = claiming(scene.run)
    os.kill(worker, signal.SIGKILL)
    code, said = end_of(process)
    assert code == 0
    assert "a process was ended by signal 9 and is started again" in said
    scene.check()
    # The try that was killed is on record, but of no consequence.
    assert [name.partition(".")[0] for name in scene.left()] == ["000001"]


def test_workers_end_with_the_process_that_started_them(scene: Scene) -> None:
    process = scene.start_slow()
    process.kill()
    end_of(process)
    wait_for(lambda: not scene.left())
    assert not corpus.status(scene.run).is_complete
    scene.finish()
    scene.check()


def test_a_machine_that_is_lost_with_all_its_processes_costs_a_unit_of_each_alone(scene: Scene) -> None:
    process = scene.start_slow()
    (worker,) = claiming(scene.run)
    # Halted, it does not notice that its parent is gone, and is lost as it is.
    os.kill(worker, signal.SIGSTOP)
    process.kill()
    os.kill(worker, signal.SIGKILL)
    end_of(process)
    assert (corpus.status(scene.run).done, len(scene.left())) == (1, 2)
    scene.finish()
    scene.check()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_the_run_as_it_can_be_continued_and_says_how(
    scene: Scene, number: signal.Signals
) -> None:
    process = scene.start_slow()
    process.send_signal(number)
    code, said = end_of(process)
    assert code == 128 + number
    assert f"note: what is done stays done: the same command goes on with {scene.run}" in said
    assert "Traceback" not in said
    assert scene.left() == []
    scene.finish()
    scene.check()


def test_a_unit_that_always_crashes_its_worker_is_set_aside_and_the_rest_goes_on(scene: Scene) -> None:
    code = IN_UNIT.format(what=CRASHING)
    process = scene.start("--workers", "2", "--threads", "1", "--tries", "2", code=code)
    code_of_end, said = end_of(process)
    assert code_of_end == 1
    assert "warning: set aside: 000002" in said
    found = corpus.status(scene.run)
    assert (found.done, found.running, found.waiting) == (found.units - 1, 0, 0)
    (aside,) = found.set_aside
    assert (aside.unit, aside.tries, aside.reason) == (2, 2, "the process that answered it ended suddenly")
    # The same again does not try it, unless it is asked to.
    assert end_of(scene.start("--workers", "1"))[0] == 1
    scene.finish("--retry")
    scene.check()


def test_two_calls_with_clocks_apart_on_a_slow_folder(scene: Scene) -> None:
    calls = [
        scene.start(
            "--workers", "1", "--threads", "1", code=CLOCK_APART.format(seconds=seconds) + SLOW_FOLDER, place=place
        )
        for place, seconds in (("early", -86400), ("late", 86400))
    ]
    assert [end_of(call)[0] for call in calls] == [0, 0]
    scene.check()
    assert scene.left() == []


def test_shards_answer_their_own_units_alone(scene: Scene) -> None:
    scene.finish("--shard", "1/2")
    assert sorted(int(path.stem) for path in (scene.run / "results").iterdir()) == [1, 3, 5]
    scene.finish("--shard", "0/2")
    scene.check()


def test_several_processes_share_the_weights_and_change_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BIOGPT_ONNX_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir(mode=0o700)
    code, said = end_of(scene.start("--workers", "2"))
    assert code == 0, said
    assert list((tmp_path / "cache").iterdir())
    scene.check()


def test_a_bundle_that_cannot_be_loaded_is_one_line(run: Path, tmp_path: Path) -> None:
    code, said = end_of(start_work(run, tmp_path / "missing"))
    assert code == 2
    assert said.startswith("error: ")
    assert len(said.splitlines()) == 1


def test_a_process_that_dies_before_it_can_work_ends_the_call(scene: Scene) -> None:
    process = scene.start("--workers", "1", code=DYING)
    code, said = end_of(process)
    assert code == 2
    assert "error: a process ended with 9 3 times before it began a unit" in said
