"""The work of one process: units without a result are claimed, answered and published, one after the other."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from biogpt_onnx.corpus.publishing import UNFINISHED
from biogpt_onnx.corpus.results import publish_result
from biogpt_onnx.corpus.run import RESULTS_FOLDER, Run, Unit
from biogpt_onnx.corpus.units import UnitRow, read_unit
from biogpt_onnx.corpus.working.claims import Claims
from biogpt_onnx.corpus.working.file_clock import FileClock
from biogpt_onnx.corpus.working.tries import SetAside, Tries, fail, reason_of, withdraw
from biogpt_onnx.files.records import Record
from biogpt_onnx.runtime.errors import CancelledError, DocumentError, MemoryLimitError

Report = Callable[[Mapping[str, Any]], None]
"""Called with what happens, as JSON values: "event" and, with most events, "unit"."""

POLL_SECONDS = 2.0
"""Seconds between two looks at units that other processes have claimed."""

_MOST_WITHOUT_MEMORY = 2
_OLD_SECONDS = 3600.0


class Answering(Protocol):
    """Answers the units of a run; see `UnitAnswering`."""

    def records(self, unit: Unit, rows: list[UnitRow], cancel: threading.Event | None = None) -> Iterator[Record]:
        """Yields the record of each document of a unit, in order."""


class Worker:
    """The work of one process on the units of a run.

    Args:
        run: The run.
        answering: Its task, with a model.
        bundle: The digest of the bundle's manifest.
        claims: The claims of units.
        tries: The tries of units.
        report: Called with what happens.
        cancel: Event that ends the work after the batch that is being answered.
    """

    def __init__(  # noqa: PLR0913, PLR0917 -- what, by whom, and who is told
        self,
        run: Run,
        answering: Answering,
        bundle: str,
        claims: Claims,
        tries: Tries,
        report: Report = lambda _: None,
        cancel: threading.Event | None = None,
    ) -> None:
        self._run, self._answering, self._bundle = run, answering, bundle
        self._claims, self._tries, self._report = claims, tries, report
        self._cancel = cancel or threading.Event()
        self._num_tried = 0
        self._without_memory: set[int] = set()  # units for which there was none since one was answered

    def work(self, units: Iterable[Unit]) -> None:
        """Answers units until each has a result or is set aside, whoever did it.

        Raises:
            DocumentError: A result cannot be written.
            CancelledError: The event was set.
            MemoryLimitError: There was no memory for several units in a row, so that others would fail as well.
        """
        remove_unfinished(self._run)
        left = list(units)
        while left:
            tried = self._num_tried
            left = [unit for unit in left if not self.settle(unit)]
            if left and self._num_tried == tried:
                # Others have claimed all of them, or have ended without a word.
                self._cancel.wait(POLL_SECONDS)

    def settle(self, unit: Unit) -> bool:
        """Does what can be done about a unit now: answers it, or sets it aside if it was tried too often.

        Returns:
            True if nothing is left to do about it; False if its answer failed, or another process has claimed it.

        Raises:
            DocumentError: A result cannot be written.
            CancelledError: The event was set.
            MemoryLimitError: There was no memory for it, nor for another unit before it.
        """
        if self._cancel.is_set():
            raise CancelledError("interrupted")
        if self._run.result_file(unit).exists():
            self._report({"event": "found", "unit": unit.number})
            return True
        if self._tries.is_aside(unit):
            self._report({"event": "aside", "unit": unit.number})
            return True
        with self._claims.claimed(unit) as is_claimed:
            if not is_claimed or self._run.result_file(unit).exists():
                return False
            aside = self._tries.set_aside_if_tried(unit)
            if aside is not None:
                self._report_aside(aside)
                return True
            return self._is_answered(unit)

    def _is_answered(self, unit: Unit) -> bool:
        try:
            rows = read_unit(self._run, unit)
        except DocumentError as error:
            # Another try would find the same.
            self._report_aside(self._tries.set_aside(unit, 0, str(error)))
            return True
        start = time.monotonic()
        self._num_tried += 1
        attempt = self._tries.begin(unit)
        self._report({"event": "begun", "unit": unit.number})
        try:
            records = self._records(unit, rows)
        except CancelledError:
            withdraw(attempt)
            raise
        except Exception as error:  # noqa: BLE001 -- a task's own code may raise anything, which is this unit's alone
            fail(attempt, reason_of(error))
            self._report({"event": "failed", "unit": unit.number, "reason": reason_of(error)})
            if isinstance(error, MemoryError):
                self._note_shortage(unit, error)
            return False
        except BaseException:
            withdraw(attempt)
            raise
        withdraw(attempt)
        self._without_memory.clear()
        seconds = time.monotonic() - start
        written = publish_result(self._run, unit, self._bundle, seconds, records)
        if written is None:
            self._report({"event": "found", "unit": unit.number})
        else:
            self._report({"event": "done", "unit": unit.number, "errors": written.num_errors})
        return True

    def _note_shortage(self, unit: Unit, error: MemoryError) -> None:
        """Ends the work where not one unit, but this process, lacks memory: else it would set aside all units."""
        self._without_memory.add(unit.number)
        if len(self._without_memory) >= _MOST_WITHOUT_MEMORY:
            raise MemoryLimitError(
                f"no memory for {len(self._without_memory)} units in a row ({reason_of(error)}): give more memory, or "
                "fewer --workers or a smaller --batch-size; the same command goes on"
            ) from error

    def _records(self, unit: Unit, rows: list[UnitRow]) -> list[Record]:
        records: list[Record] = []
        for record in self._answering.records(unit, rows, self._cancel):
            records.append(record)
            self._report({"event": "answered", "unit": unit.number, "documents": len(records)})
        return records

    def _report_aside(self, aside: SetAside) -> None:
        self._report({"event": "aside", "unit": aside.unit, "tries": aside.tries, "reason": aside.reason})


def remove_unfinished(run: Run, clock: FileClock | None = None) -> None:
    """Removes what processes that were killed have left of results that they were writing."""
    folder = run.folder / RESULTS_FOLDER
    found = list(folder.glob(f"{UNFINISHED}*"))
    if not found:
        return
    clock = clock or FileClock(folder)
    try:
        now = clock.now()
        for path in found:
            try:
                if now - path.stat().st_mtime > _OLD_SECONDS:
                    path.unlink()
            except OSError:
                # It has its name by now, or is still being written, as Windows says.
                continue
    finally:
        clock.close()
