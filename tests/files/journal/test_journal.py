"""A run that is interrupted goes on where it was, and does nothing twice."""

import contextlib
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from biogpt_onnx.files.journal.journal import SUFFIX, Journal
from biogpt_onnx.files.records import Record, write_records
from biogpt_onnx.files.text.json_lines import JsonLines
from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.runtime.system.locks import lock

IDENTITY = {"input": "sha256 of the input", "model": "sha256 of the model", "settings": {"num_beams": 1}}
RECORDS: list[Record] = [{"line": number, "id": None, "text": "α\u2028" * number} for number in range(1, 5)]
OPEN_FILES = Path("/proc/self/fd")


def write(records: Iterator[Record], stream: TextIO) -> None:
    write_records(JsonLines(), records, stream)


def run(output: Path, *, fail_behind: int | None = None, restart: bool = False, overwrite: bool = False) -> int:
    """Does what is not done yet, record by record; returns how many were there."""
    with Journal.open(output, IDENTITY, restart=restart, overwrite=overwrite) as journal:
        before = journal.done
        for number, record in enumerate(RECORDS[before:], start=before + 1):
            journal.add([record])
            if number == fail_behind:
                raise KeyboardInterrupt
        journal.finish(write)
    return before


def interrupt(output: Path, behind: int, **settings: bool) -> Path:
    with pytest.raises(KeyboardInterrupt):
        run(output, fail_behind=behind, **settings)
    return output.with_name(output.name + SUFFIX)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl"


@pytest.fixture
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "results.jsonl"
    run(path)
    return path.read_bytes()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_finished_run_leaves_its_output_and_nothing_else(output: Path, uninterrupted: bytes) -> None:
    assert run(output) == 0
    assert names(output.parent) == ["results.jsonl"]
    assert output.read_bytes() == uninterrupted
    assert uninterrupted.count(b"\n") == len(RECORDS)


def test_an_interrupted_run_has_no_output_yet_and_goes_on(output: Path, uninterrupted: bytes) -> None:
    interrupt(output, 2)
    assert names(output.parent) == ["results.jsonl" + SUFFIX]
    interrupt(output, 3)
    assert run(output) == 3
    assert output.read_bytes() == uninterrupted


def test_a_run_that_did_nothing_leaves_nothing(output: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Journal.open(output, IDENTITY):
        raise KeyboardInterrupt
    assert names(output.parent) == []


def test_no_records_are_an_output_too(output: Path) -> None:
    with Journal.open(output, IDENTITY) as journal:
        journal.finish(write)
    assert names(output.parent) == ["results.jsonl"]
    assert output.read_bytes() == b""


def test_a_journal_cut_at_any_byte_of_its_last_record_gives_the_same_output(output: Path, uninterrupted: bytes) -> None:
    journal = interrupt(output, 3)
    whole = journal.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for end in range(last, len(whole) + 1):
        journal.write_bytes(whole[:end])
        assert run(output, overwrite=True) == (3 if end == len(whole) else 2)
        assert output.read_bytes() == uninterrupted
        assert not journal.exists()


def test_a_journal_cut_within_its_first_line_begins_anew(output: Path, uninterrupted: bytes) -> None:
    journal = interrupt(output, 1)
    first = journal.read_bytes().index(b"\n")
    for end in (0, 1, first):
        journal.write_bytes(journal.read_bytes()[:end] if journal.exists() else b"{" * end)
        assert run(output, overwrite=True) == 0
        assert output.read_bytes() == uninterrupted


@pytest.mark.parametrize("damage", [b"\0\0\0\0\n", b"\0\0\0\0", b'"text"\n', b"{\n", b"\xff\n"])
def test_what_a_crash_of_the_system_has_damaged_is_done_again(
    output: Path, uninterrupted: bytes, damage: bytes
) -> None:
    journal = interrupt(output, 3)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:2], damage, *lines[3:]]))
    assert run(output) == 1
    assert output.read_bytes() == uninterrupted


@pytest.mark.parametrize("place", [1, 2, 3])
def test_records_that_were_changed_moved_or_lost_are_done_again(output: Path, uninterrupted: bytes, place: int) -> None:
    path = interrupt(output, 4)
    lines = path.read_bytes().splitlines(keepends=True)
    before, one, two, behind = lines[:place], lines[place], lines[place + 1], lines[place + 2 :]
    changed = one.replace(b'"line": ', b'"line": 1')
    assert changed != one
    for there, sound in (([changed, two], 0), ([two], 0), ([two, one], 0), ([one, one, two], 1)):
        path.write_bytes(b"".join([*before, *there, *behind]))
        assert run(output, overwrite=True) == place - 1 + sound
        assert output.read_bytes() == uninterrupted


def test_records_that_are_changed_while_they_are_used_are_not_written(output: Path) -> None:
    with Journal.open(output, IDENTITY) as journal:
        journal.add(RECORDS)
        journal.path.write_bytes(journal.path.read_bytes().replace(b'"line": 3', b'"line": 4'))
        with pytest.raises(DocumentError, match="was changed while it was used: run the same again"):
            journal.finish(write)
    assert run(output) == 2


def test_other_settings_are_refused_and_named(output: Path) -> None:
    journal = interrupt(output, 2)
    before = journal.read_bytes()
    other = {**IDENTITY, "settings": {"num_beams": 5}, "limit": 3}
    says = r"holds 2 results of a run with num_beams 1 \(it is 5 now\), limit None \(it is 3 now\): say --restart"
    with pytest.raises(DocumentError, match=says), Journal.open(output, other):
        pass
    assert journal.read_bytes() == before
    assert run(output) == 2


def test_a_long_setting_is_named_by_its_beginning(output: Path) -> None:
    with Journal.open(output, {"input": "a" * 64, "model": "b" * 40}) as journal:
        journal.add(RECORDS[:1])
    cut = rf"with input {'a' * 40}\.\.\. \(it is {'c' * 40}\.\.\. now\), model {'b' * 40} \(it is d now\): say"
    with pytest.raises(DocumentError, match=cut), Journal.open(output, {"input": "c" * 41, "model": "d"}):
        pass


def test_a_restart_gives_up_what_is_there(output: Path, uninterrupted: bytes) -> None:
    interrupt(output, 2)
    assert run(output, restart=True) == 0
    assert output.read_bytes() == uninterrupted


def test_settings_that_json_writes_alike_are_the_same(output: Path) -> None:
    with Journal.open(output, {"labels": ("a", "b")}) as journal:
        journal.add(RECORDS[:1])
    with Journal.open(output, {"labels": ["a", "b"]}) as journal:
        assert journal.done == 1


def test_an_output_that_is_there_is_replaced_only_if_asked(output: Path, uninterrupted: bytes) -> None:
    output.write_text("precious")
    with pytest.raises(DocumentError, match="--overwrite"):
        run(output)
    assert (names(output.parent), output.read_text()) == (["results.jsonl"], "precious")
    interrupt(output, 2, overwrite=True)
    assert output.read_text() == "precious"
    assert run(output, overwrite=True) == 2
    assert output.read_bytes() == uninterrupted


def test_an_output_that_appears_meanwhile_is_not_lost(output: Path) -> None:
    with Journal.open(output, IDENTITY) as journal:
        journal.add(RECORDS)
        output.write_text("precious")
        with pytest.raises(DocumentError, match="--overwrite"):
            journal.finish(write)
    assert output.read_text() == "precious"
    output.unlink()
    assert run(output) == len(RECORDS)


@pytest.mark.parametrize("what", ["folder", "no folder", "device", "journal is a folder"])
def test_a_place_that_takes_no_file_is_refused_before_any_work(tmp_path: Path, what: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / f"a{SUFFIX}").mkdir()
    output = {
        "folder": tmp_path / "folder",
        "no folder": tmp_path / "absent" / "a",
        "device": Path(os.devnull),
        "journal is a folder": tmp_path / "a",
    }[what]
    with pytest.raises(DocumentError, match=r"another|there is no folder"), Journal.open(output, {}, overwrite=True):
        pass
    assert names(tmp_path) == [f"a{SUFFIX}", "folder"]


@pytest.mark.parametrize("content", ['{"my": "own"}\n', "\n"])
def test_a_file_of_the_journals_name_that_is_none_stays(output: Path, content: str) -> None:
    other = output.with_name(output.name + SUFFIX)
    other.write_text(content)
    with pytest.raises(DocumentError, match="no journal"):
        run(output)
    assert other.read_text() == content


def test_a_file_of_the_journals_name_that_is_none_stays_even_where_a_run_begins_anew(output: Path) -> None:
    other = output.with_name(output.name + SUFFIX)
    other.write_text('{"my": "own"}\n')
    with pytest.raises(DocumentError, match="no journal"):
        run(output, restart=True)
    assert other.read_text() == '{"my": "own"}\n'


def test_a_name_for_a_compressed_file_gives_one_and_always_the_same(tmp_path: Path, uninterrupted: bytes) -> None:
    output = tmp_path / "results.jsonl.gz"
    interrupt(output, 2)
    assert run(output) == 2
    assert gzip.decompress(output.read_bytes()) == uninterrupted
    again = tmp_path / "again.gz"
    run(again)
    assert again.read_bytes() == output.read_bytes()
    # No time is in it, where gzip has a place for one.
    assert again.read_bytes()[4:8] == bytes(4)


def test_a_link_is_written_through(output: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "a.jsonl"
    output.symlink_to(target)
    run(output)
    assert output.is_symlink()
    assert target.is_file()


def test_an_output_that_cannot_be_written_keeps_the_journal(output: Path, uninterrupted: bytes) -> None:
    def fail(records: Iterator[Record], stream: TextIO) -> None:
        stream.write(str(next(records)))
        raise OSError(28, "No space left on device")

    with Journal.open(output, IDENTITY) as journal:
        journal.add(RECORDS)
        with pytest.raises(DocumentError, match="No space left"):
            journal.finish(fail)
    assert names(output.parent) == ["results.jsonl" + SUFFIX]
    assert run(output) == len(RECORDS)
    assert output.read_bytes() == uninterrupted


def test_a_full_disk_costs_one_block(output: Path, uninterrupted: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    really_write = os.write

    def fill(descriptor: int, data: memoryview) -> int:
        really_write(descriptor, data[:5])
        raise OSError(28, "No space left on device")

    with Journal.open(output, IDENTITY) as journal:
        journal.add(RECORDS[:2])
        monkeypatch.setattr(os, "write", fill)
        with pytest.raises(DocumentError, match="keeps 2 results"):
            journal.add(RECORDS[2:])
    monkeypatch.undo()
    assert run(output) == 2
    assert output.read_bytes() == uninterrupted


def test_writes_that_take_a_part_go_on(output: Path, uninterrupted: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    really_write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: really_write(descriptor, data[:7]))
    run(output)
    assert output.read_bytes() == uninterrupted


def test_what_a_killed_run_left_of_its_output_is_no_hindrance(output: Path, uninterrupted: bytes) -> None:
    output.with_name(f".{output.name}.unfinished").write_text("half")
    run(output)
    assert names(output.parent) == ["results.jsonl"]
    assert output.read_bytes() == uninterrupted


def test_a_second_process_is_refused_while_the_first_runs(output: Path) -> None:
    with Journal.open(output, IDENTITY) as journal:
        journal.add(RECORDS[:1])
        with pytest.raises(DocumentError, match="another process"), Journal.open(output, IDENTITY):
            pass
        with pytest.raises(DocumentError, match="another process"), Journal.open(output, IDENTITY, restart=True):
            pass
        assert journal.done == 1
        journal.finish(write)


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="the system has no folder of a process's open files")
def test_a_run_that_is_refused_leaves_no_file_open(output: Path) -> None:
    with Journal.open(output, IDENTITY) as journal:
        before = len(list(OPEN_FILES.iterdir()))
        for _ in range(3):
            with pytest.raises(DocumentError, match="another process"), Journal.open(output, IDENTITY):
                pass
        assert len(list(OPEN_FILES.iterdir())) == before
        journal.finish(write)
    assert len(list(OPEN_FILES.iterdir())) == before - 1


def test_a_run_that_ends_leaves_alone_what_the_next_has_begun(output: Path) -> None:
    with contextlib.ExitStack() as first:
        journal = first.enter_context(Journal.open(output, IDENTITY))
        journal.finish(write)
        with Journal.open(output, IDENTITY, overwrite=True) as following:
            first.close()
            following.add(RECORDS[:1])
    assert run(output, overwrite=True) == 1


def test_a_journal_that_another_process_removes_as_it_is_opened_is_made_anew(
    output: Path, uninterrupted: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lock_once_it_is_gone(descriptor: int) -> bool | None:
        monkeypatch.undo()
        output.with_name(output.name + SUFFIX).unlink()
        return lock(descriptor)

    monkeypatch.setattr("biogpt_onnx.files.journal.lock.lock", lock_once_it_is_gone)
    interrupt(output, 2)
    assert run(output) == 2
    assert output.read_bytes() == uninterrupted


def test_a_file_system_without_locks_is_written_to(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("biogpt_onnx.files.journal.lock.lock", lambda _: None)
    assert run(output) == 0


def test_records_that_are_dropped_are_answered_again_in_their_places(output: Path, uninterrupted: bytes) -> None:
    error: Record = {"line": 9, "id": None, "error": "it is too long"}
    with Journal.open(output, IDENTITY) as journal:
        journal.add([RECORDS[0], error, RECORDS[1], error])
        journal.keep(3)
        assert (journal.done, journal.failed, list(journal.lines())) == (3, 1, [1, 9, 2])
        journal.keep(1)
        assert (journal.done, journal.failed) == (1, 0)
    assert run(output) == 1
    assert output.read_bytes() == uninterrupted
    with Journal.open(output, IDENTITY, overwrite=True) as journal:
        journal.add(RECORDS[:2])
        journal.keep(1)
        journal.add(RECORDS[1:])
        journal.finish(write)
    assert output.read_bytes() == uninterrupted


def test_a_run_whose_records_are_all_dropped_leaves_nothing(output: Path) -> None:
    with Journal.open(output, IDENTITY) as journal:
        journal.add(RECORDS)
        journal.keep(0)
    assert names(output.parent) == []


def test_errors_are_counted_whichever_run_met_them(output: Path) -> None:
    with Journal.open(output, IDENTITY) as journal:
        journal.add([RECORDS[0], {"line": 2, "id": None, "error": "no JSON"}])
        assert (journal.done, journal.failed) == (2, 1)
    with Journal.open(output, IDENTITY) as journal:
        assert (journal.done, journal.failed) == (2, 1)


def test_a_closed_journal_takes_nothing_more(output: Path) -> None:
    with Journal.open(output, IDENTITY) as journal:
        journal.finish(write)
    with pytest.raises(ValueError, match="closed"):
        journal.add(RECORDS)


WORKER = """
import sys, time
from pathlib import Path
from biogpt_onnx.files.journal.journal import Journal
with Journal.open(Path(sys.argv[1]), {"input": "a"}) as journal:
    for number in range(journal.done + 1, 1000):
        journal.add([{"line": number, "id": None, "text": "x" * 20000}])
        print(number, flush=True)
"""


def test_a_killed_process_loses_nothing_that_it_had_done_and_blocks_nobody(output: Path) -> None:
    seen = 0
    for stop_behind in (3, 8):
        with subprocess.Popen([sys.executable, "-c", WORKER, str(output)], stdout=subprocess.PIPE, text=True) as worker:
            assert worker.stdout is not None
            numbers = []
            for line in worker.stdout:
                numbers.append(int(line))
                if numbers[-1] >= stop_behind:
                    break
            with pytest.raises(DocumentError, match="another process"), Journal.open(output, {"input": "a"}):
                pass
            worker.kill()
            numbers += [int(line) for line in worker.stdout if line.endswith("\n")]
        # It went on where the one before was killed, by no more than the record that it had not told of yet.
        assert numbers[0] in {seen + 1, seen + 2}
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        seen = numbers[-1]
    with Journal.open(output, {"input": "a"}) as journal:
        assert journal.done in {seen, seen + 1}
        journal.finish(write)
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [line["line"] for line in lines] == list(range(1, len(lines) + 1))
    assert {line["text"] for line in lines} == {"x" * 20000}


@pytest.mark.parametrize("moment", ["before", "behind"])
def test_a_process_killed_as_its_output_appears_can_be_run_again(
    output: Path, uninterrupted: bytes, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_replace = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if moment == "behind":
            really_replace(self, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        run(output)
    monkeypatch.undo()
    assert output.exists() == (moment == "behind")
    assert run(output, overwrite=True) == len(RECORDS)
    assert output.read_bytes() == uninterrupted
    assert names(output.parent) == ["results.jsonl"]
