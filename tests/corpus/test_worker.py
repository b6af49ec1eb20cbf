import errno
import json
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import biogpt_onnx
from biogpt_onnx import BioGPT, CancelledError, ConfigError, DocumentError, MemoryLimitError, corpus
from biogpt_onnx.corpus import publishing, results
from biogpt_onnx.corpus.results import error_kind, read_result
from biogpt_onnx.corpus.run import Run, Unit
from biogpt_onnx.corpus.units import UnitRow
from biogpt_onnx.corpus.working.answering import UnitAnswering
from biogpt_onnx.corpus.working.bundle_record import record_bundle
from biogpt_onnx.corpus.working.claims import Claims
from biogpt_onnx.corpus.working.tries import Tries
from biogpt_onnx.files.answering import RowAnswering
from biogpt_onnx.files.reading import read_documents
from biogpt_onnx.files.records import Record, record_of
from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache
from makers.bundles import write_manifest
from makers.corpora import answer_run, worker_of

Merged = Callable[[Path], bytes]


class FailingOnce(UnitAnswering):
    """Fails in the middle of unit 2, the first time."""

    failed = False

    def records(self, unit: Unit, rows: list[UnitRow], cancel: threading.Event | None = None) -> Iterator[Record]:
        for number, record in enumerate(super().records(unit, rows, cancel)):
            if unit.number == 2 and number == 2 and not self.failed:
                self.failed = True
                raise RuntimeError("a bug")
            yield record


class Failing(UnitAnswering):
    """Fails in unit 2, always."""

    def records(self, unit: Unit, rows: list[UnitRow], cancel: threading.Event | None = None) -> Iterator[Record]:
        if unit.number == 2:
            raise RuntimeError("a bug")
        return super().records(unit, rows, cancel)


def kinds(events: list[Mapping[str, Any]], unit: int) -> list[str]:
    return [event["event"] for event in events if event.get("unit") == unit and event["event"] != "answered"]


def left_files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for name in ("claims", "tries") for path in (folder / name).iterdir())


def test_results_are_those_of_the_command_for_one_file(run: Path, mini: BioGPT, merged: Merged, tmp_path: Path) -> None:

    answer_run(run, mini)
    opened = Run.open(run)
    settings = opened.settings
    answering = RowAnswering(opened.task(), mini, settings.reading, settings.completed)
    source = tmp_path / "documents.jsonl"
    expected = [
        {"number": number, "file": str(source), **record_of(row, result)}
        for number, (row, result) in enumerate(answering.answers(read_documents(source)), start=1)
    ]
    assert [json.loads(line) for line in merged(run).splitlines()] == json.loads(json.dumps(expected))
    assert "error" in expected[-1]


def test_units_and_batches_change_nothing(make_run: Callable[..., Path], mini: BioGPT, merged: Merged) -> None:
    outputs = set()
    for size in (1, 5, 100):
        folder = make_run(f"run-{size}", unit_documents=size)
        answer_run(folder, mini)
        outputs.add(merged(folder))
    assert len(outputs) == 1


def test_what_is_done_is_not_done_again(run: Path, mini: BioGPT) -> None:
    answer_run(run, mini)
    events: list[Mapping[str, Any]] = []
    worker_of(run, mini, events=events).work(Run.open(run).units)
    assert {event["event"] for event in events} == {"found"}
    assert left_files(run) == []


def test_workers_beside_each_other_neither_lose_nor_double_a_unit(
    run: Path, mini: BioGPT, expected: bytes, merged: Merged
) -> None:
    events: list[Mapping[str, Any]] = []
    units = Run.open(run).units
    threads = [
        threading.Thread(target=worker_of(run, mini, events=events).work, args=(order,))
        for order in (units, tuple(reversed(units)), units[3:] + units[:3])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(event["unit"] for event in events if event["event"] == "done") == list(range(len(units)))
    assert merged(run) == expected


def test_two_that_answer_one_unit_as_no_claim_holds_them_back_leave_one_result(
    run: Path, mini: BioGPT, expected: bytes, merged: Merged, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(Claims, "_is_fresh", lambda *_: False)
    both = threading.Barrier(2)

    class Together(UnitAnswering):
        def records(self, unit: Unit, rows: list[UnitRow], cancel: threading.Event | None = None) -> Iterator[Record]:
            if unit.number == 0:
                both.wait()
            return super().records(unit, rows, cancel)

    events: list[Mapping[str, Any]] = []
    units = Run.open(run).units
    threads = [
        threading.Thread(target=worker_of(run, mini, answering=Together, events=events).work, args=(units[:1],))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(kinds(events, 0)) == ["begun", "begun", "done", "found"]
    answer_run(run, mini)
    assert merged(run) == expected


@pytest.mark.parametrize("times", [1, 2])
def test_results_that_a_network_folder_shows_late_are_neither_doubled_nor_replaced(  # noqa: PLR0913, PLR0917 -- fixtures
    run: Path, mini: BioGPT, expected: bytes, merged: Merged, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Another machine's results are there, but its folder is asked again before they are seen."""
    answer_run(run, mini)
    results_before = {path.name: path.read_bytes() for path in (run / "results").iterdir()}
    asked: Counter[Path] = Counter()
    exists = Path.exists

    def late(path: Path, **options: bool) -> bool:
        if path.parent.name != "results":
            return exists(path, **options)
        asked[path] += 1
        return asked[path] > times and exists(path, **options)

    events: list[Mapping[str, Any]] = []
    monkeypatch.setattr(Path, "exists", late)
    worker_of(run, mini, events=events).work(Run.open(run).units)
    monkeypatch.undo()
    # Seen late, it is found in time; seen too late, it is answered once more, and the first results stay.
    assert kinds(events, 2) == (["found"] if times == 1 else ["begun", "found"])
    assert {path.name: path.read_bytes() for path in (run / "results").iterdir()} == results_before
    assert left_files(run) == []
    assert merged(run) == expected


def test_a_claim_that_vanishes_while_it_is_looked_at_is_free(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Run.open(run)
    claims = Claims(opened)
    stat = Path.stat

    def gone(path: Path, **options: bool) -> os.stat_result:
        if path.parent.name == "claims" and path.name[0].isdigit():
            raise OSError(errno.ESTALE, "Stale file handle")
        return stat(path, **options)

    with claims.claimed(opened.units[0]):
        monkeypatch.setattr(Path, "stat", gone)
        assert not claims.is_held(opened.units[0])
        monkeypatch.undo()
        assert claims.is_held(opened.units[0])
    claims.close()


def test_a_unit_that_fails_once_is_tried_again(run: Path, mini: BioGPT, expected: bytes, merged: Merged) -> None:
    events: list[Mapping[str, Any]] = []
    worker_of(run, mini, answering=FailingOnce, events=events).work(Run.open(run).units)
    assert kinds(events, 2) == ["begun", "failed", "begun", "done"]
    assert merged(run) == expected


def test_a_unit_that_always_fails_is_set_aside_and_the_rest_goes_on(
    run: Path, mini: BioGPT, expected: bytes, merged: Merged
) -> None:
    events: list[Mapping[str, Any]] = []
    worker_of(run, mini, answering=Failing, tries=2, events=events).work(Run.open(run).units)
    assert kinds(events, 2) == ["begun", "failed", "begun", "failed", "aside"]
    found = corpus.status(run)
    assert (found.done, found.waiting, found.is_complete) == (found.units - 1, 0, False)
    (aside,) = found.set_aside
    assert (aside.unit, aside.tries, aside.reason) == (2, 2, "RuntimeError: a bug")
    # It stays aside until it is asked for.
    answer_run(run, mini)
    assert not corpus.status(run).is_complete
    Tries(Run.open(run)).take_back()
    answer_run(run, mini)
    assert merged(run) == expected
    assert left_files(run) == []


def test_no_document_gets_the_blame_for_a_full_memory(run: Path, mini: BioGPT, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise MemoryLimitError("a cache does not fit in memory")

    monkeypatch.setattr(KeyValueCache, "allocate", refuse)
    events: list[Mapping[str, Any]] = []
    with pytest.raises(MemoryLimitError, match=r"no memory for 2 units in a row .*the same command goes on"):
        worker_of(run, mini, events=events).work(Run.open(run).units)
    failed = [event for event in events if event["event"] == "failed"]
    assert len(failed) == 2
    assert all("memory" in event["reason"] for event in failed)
    assert not [event for event in events if event["event"] == "done"]
    found = corpus.status(run)
    assert (found.done, found.set_aside) == (0, ())


def test_a_worker_without_memory_leaves_all_units_to_the_next(
    run: Path, mini: BioGPT, monkeypatch: pytest.MonkeyPatch, expected: bytes, merged: Merged
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(KeyValueCache, "allocate", lambda *_: (_ for _ in ()).throw(MemoryError()))
        with pytest.raises(MemoryLimitError):
            worker_of(run, mini, tries=2).work(Run.open(run).units)
    answer_run(run, mini)
    assert merged(run) == expected


class WithoutMemory(UnitAnswering):
    """Finds no memory for unit 2, always."""

    def records(self, unit: Unit, rows: list[UnitRow], cancel: threading.Event | None = None) -> Iterator[Record]:
        if unit.number == 2:
            raise MemoryLimitError("a cache does not fit in memory")
        return super().records(unit, rows, cancel)


def test_a_single_unit_without_memory_is_set_aside_and_the_others_answered(run: Path, mini: BioGPT) -> None:
    worker_of(run, mini, answering=WithoutMemory).work(Run.open(run).units)
    found = corpus.status(run)
    assert (found.done, found.waiting) == (found.units - 1, 0)
    assert [aside.unit for aside in found.set_aside] == [2]


def test_a_cancelled_worker_leaves_the_run_as_it_can_be_continued(
    run: Path, mini: BioGPT, expected: bytes, merged: Merged
) -> None:
    cancel = threading.Event()

    class Cancelling(UnitAnswering):
        def records(self, unit: Unit, rows: list[UnitRow], event: threading.Event | None = None) -> Iterator[Record]:
            if unit.number == 2:
                cancel.set()
            return super().records(unit, rows, event)

    with pytest.raises(CancelledError):
        worker_of(run, mini, answering=Cancelling, cancel=cancel).work(Run.open(run).units)
    assert corpus.status(run).done == 2
    assert left_files(run) == []
    answer_run(run, mini)
    assert merged(run) == expected


@pytest.mark.parametrize("change", ["removed", "edited"])
def test_a_unit_that_was_changed_by_hand_is_set_aside_with_its_name(
    run: Path, mini: BioGPT, expected: bytes, merged: Merged, change: str
) -> None:
    path = run / "units" / "000002.jsonl"
    content = path.read_bytes()
    path.unlink()
    if change == "edited":
        path.write_bytes(content.replace(b"tremor", b"Tremor") + b"\n")
    answer_run(run, mini)
    (aside,) = corpus.status(run).set_aside
    assert aside.reason == f"{path} is not as it was prepared: restore it, or prepare the run again"
    path.write_bytes(content)
    Tries(Run.open(run)).take_back()
    answer_run(run, mini)
    assert merged(run) == expected


def test_inputs_may_change_once_a_run_is_prepared(
    run: Path, mini: BioGPT, expected: bytes, merged: Merged, tmp_path: Path
) -> None:
    (tmp_path / "documents.jsonl").write_text("changed\n")
    answer_run(run, mini)
    assert merged(run) == expected


def test_a_full_disk_ends_the_work_and_leaves_no_half_of_a_result(
    run: Path, mini: BioGPT, expected: bytes, merged: Merged, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = publishing.publish

    def full(path: Path, lines: Any) -> bool:
        if path.name == "000003.jsonl":
            with monkeypatch.context() as patched:
                patched.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
                return publish(path, lines)
        return publish(path, lines)

    monkeypatch.setattr(results, "publish", full)
    with pytest.raises(DocumentError, match=r"000003.jsonl cannot be written .No space left"):
        answer_run(run, mini)
    assert sorted(path.name for path in (run / "results").iterdir()) == [f"00000{n}.jsonl" for n in range(3)]
    assert left_files(run) == []
    monkeypatch.undo()
    answer_run(run, mini)
    assert merged(run) == expected


def test_another_bundle_is_refused_by_name(run: Path, mini: BioGPT, mini_bundle: Path, tmp_path: Path) -> None:

    opened = Run.open(run)
    record_bundle(opened, mini, "mini")
    record_bundle(opened, mini, "renamed")
    other = shutil.copytree(mini_bundle, tmp_path / "other")
    manifest = json.loads((other / "bundle.json").read_text(encoding="utf-8"))
    manifest["notes"] = ["another one"]
    write_manifest(other, manifest)
    with (
        biogpt_onnx.load(other) as model,
        pytest.raises(ConfigError, match=r"was begun with the bundle mini .*other is"),
    ):
        record_bundle(opened, model, "other")


def test_another_device_is_refused_by_name(run: Path, mini: BioGPT, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Run.open(run)
    record_bundle(opened, mini, "mini")
    monkeypatch.setattr(BioGPT, "device", "cuda")
    with pytest.raises(ConfigError, match="begun on the device cpu"):
        record_bundle(opened, mini, "mini")


def test_the_first_line_of_results_counts_errors_and_quotes_no_text(run: Path, mini: BioGPT) -> None:
    answer_run(run, mini)
    opened = Run.open(run)
    result = read_result(opened, opened.units[-1])
    assert result is not None
    assert {kind: found.count for kind, found in result.errors.items()} == {"the text is empty: give a text": 1}
    ((example,),) = [found.examples for found in result.errors.values()]
    assert (example["id"], example["line"]) == (None, 24)


def test_errors_of_one_kind_differ_in_numbers_and_quotations_alone() -> None:
    assert error_kind("it has 1,204 tokens, 'Lithium 5' and 3.") == "it has N tokens, … and N."
    assert len(error_kind("x" * 1000)) < 300
