import json
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from biogpt_onnx.corpus.publishing import host, publish
from biogpt_onnx.corpus.run import CLAIMS_FOLDER, RESULTS_FOLDER, Run, Unit
from biogpt_onnx.corpus.working.claims import Claims
from biogpt_onnx.corpus.working.file_clock import FileClock
from biogpt_onnx.corpus.working.worker import remove_unfinished
from biogpt_onnx.runtime import background
from biogpt_onnx.runtime.errors import DocumentError
from makers.corpora import ended_process

HOUR = 3600.0


@pytest.fixture
def opened(run: Path) -> Run:
    return Run.open(run)


def claim_file(run: Run, unit: Unit) -> Path:
    return run.folder / CLAIMS_FOLDER / f"{unit.name}.json"


def claim_by(run: Run, unit: Unit, *, at: str, process: int, age: float = 0.0) -> Path:
    """A claim of another process, renewed some seconds ago."""
    path = claim_file(run, unit)
    path.write_text(json.dumps({"host": at, "process": process}), encoding="utf-8")
    then = time.time() - age
    os.utime(path, (then, then))
    return path


def test_a_unit_is_claimed_by_one_at_a_time(opened: Run) -> None:
    unit, claims = opened.units[0], Claims(opened)
    with claims.claimed(unit) as is_first:
        assert is_first
        with Claims(opened).claimed(unit) as is_second:
            assert not is_second
        assert list(claims.held()) == [0]
    assert list(claims.held()) == []
    claims.close()
    assert list((opened.folder / CLAIMS_FOLDER).iterdir()) == []


def test_a_claim_that_nothing_could_renew_is_given_back(opened: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(background, "start_new_thread", refuse)
    claims = Claims(opened)
    with pytest.raises(MemoryError, match="give more memory, or run fewer processes"), claims.claimed(opened.units[0]):
        pass
    assert list(claims.held()) == []


def test_a_fresh_claim_of_another_host_is_heeded_and_an_old_one_taken_over(opened: Run) -> None:
    unit, claims = opened.units[0], Claims(opened, lease_seconds=60)
    claim_by(opened, unit, at="elsewhere", process=1, age=30)
    with claims.claimed(unit) as is_claimed:
        assert not is_claimed
    path = claim_by(opened, unit, at="elsewhere", process=1, age=90)
    with claims.claimed(unit) as is_claimed:
        assert is_claimed
        assert json.loads(path.read_text(encoding="utf-8")) == {"host": host(), "process": os.getpid()}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell")
def test_the_claim_of_a_process_of_this_host_that_has_ended_is_free_at_once(opened: Run) -> None:
    unit = opened.units[0]
    claim_by(opened, unit, at=host(), process=ended_process())
    with Claims(opened).claimed(unit) as is_claimed:
        assert is_claimed


@pytest.mark.parametrize("apart", [-24 * HOUR, 24 * HOUR])
def test_the_clock_of_a_machine_does_not_matter(opened: Run, monkeypatch: pytest.MonkeyPatch, apart: float) -> None:
    fresh, old = opened.units[:2]
    claim_by(opened, fresh, at="elsewhere", process=1)
    claim_by(opened, old, at="elsewhere", process=1, age=HOUR)
    there = time.time
    monkeypatch.setattr(time, "time", lambda: there() + apart)
    claims = Claims(opened)
    assert claims.is_held(fresh)
    assert not claims.is_held(old)


@pytest.mark.parametrize("apart", [-24 * HOUR, 24 * HOUR])
def test_the_clock_of_a_file_system_does_not_matter(opened: Run, apart: float) -> None:
    """A server's clock dates both the claims and the file that they are compared with."""

    class Server(FileClock):
        def now(self) -> float:
            return time.time() + apart

    fresh, old = opened.units[:2]
    claim_by(opened, fresh, at="elsewhere", process=1, age=-apart)
    claim_by(opened, old, at="elsewhere", process=1, age=HOUR - apart)
    claims = Claims(opened, clock=Server(opened.folder))
    assert claims.is_held(fresh)
    assert not claims.is_held(old)


def test_a_claim_is_renewed_while_its_holder_works(opened: Run) -> None:
    unit, claims = opened.units[0], Claims(opened, lease_seconds=0.04)
    with claims.claimed(unit):
        path = claim_file(opened, unit)
        os.utime(path, (0, 0))
        deadline = time.monotonic() + 30
        while path.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert path.stat().st_mtime > 0


def test_a_claim_that_another_process_has_taken_over_is_left_to_it(opened: Run) -> None:
    unit, claims = opened.units[0], Claims(opened)
    with claims.claimed(unit):
        path = claim_by(opened, unit, at="elsewhere", process=1)
    assert path.exists()


def test_of_many_that_publish_one_file_the_first_one_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "result"
    outcomes: list[tuple[int, bool]] = []
    begin = threading.Barrier(8)

    def run(number: int) -> None:
        begin.wait()
        outcomes.append((number, publish(path, [f"{number}\n"] * 1000)))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (first,) = [number for number, is_first in outcomes if is_first]
    assert path.read_text(encoding="utf-8") == f"{first}\n" * 1000
    assert list(tmp_path.iterdir()) == [path]


def test_where_there_are_no_hard_links_files_are_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_link)
    assert publish(tmp_path / "result", ["first\n"])
    assert not publish(tmp_path / "result", ["second\n"])
    assert (tmp_path / "result").read_text(encoding="utf-8") == "first\n"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_network_file_system_that_links_and_says_that_the_name_was_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def twice(source: Path, target: Path) -> None:
        link(source, target)
        link(source, target)

    monkeypatch.setattr(os, "link", twice)
    assert publish(tmp_path / "result", ["first\n"])


def test_nothing_is_left_of_a_file_that_a_full_disk_has_no_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DocumentError, match=r"cannot be written .No space left on device."):
        publish(tmp_path / "result", ["first\n"])
    assert list(tmp_path.iterdir()) == []


def test_unfinished_results_of_killed_processes_are_removed_when_they_are_old(opened: Run) -> None:
    folder = opened.folder / RESULTS_FOLDER
    old, fresh = folder / ".unfinished-there-1-ab-000000.jsonl", folder / ".unfinished-there-2-cd-000001.jsonl"
    for path in (old, fresh):
        path.write_text("half")
    then = time.time() - 2 * HOUR
    os.utime(old, (then, then))
    remove_unfinished(opened)
    assert list(folder.iterdir()) == [fresh]
