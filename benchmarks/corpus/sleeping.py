"""Workers of a cluster that sleep instead of answering: they show the scheduler and the files of a run alone."""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from biogpt_onnx.corpus.cluster.actor import Order
from biogpt_onnx.corpus.run import Run, Unit
from biogpt_onnx.corpus.units import UnitRow
from biogpt_onnx.files.records import Record

READY = "ready-"
GO = "go"
"""The names of the files by which workers wait for each other, so that none works while others start."""

_POLL_SECONDS = 0.2


class SleepingAnswering:
    """Answers a unit by sleeping for its time.

    Args:
        seconds: The time of each unit, by its number.
    """

    def __init__(self, seconds: Sequence[float]) -> None:
        self._seconds = seconds

    def records(self, unit: Unit, rows: list[UnitRow], cancel: threading.Event | None = None) -> Iterator[Record]:
        """Yields a record of each document without a result, after the time of the unit."""
        del cancel
        time.sleep(self._seconds[unit.number])
        yield from ({"number": row.number, "id": None, "line": row.row.line} for row in rows)


def load_sleeping(run: Run, order: Order) -> tuple[SleepingAnswering, str]:
    """Takes the place of `load_bundle`, and returns when all workers are there."""
    barrier = Path(order["barrier"])
    (barrier / f"{READY}{os.getpid()}").touch()
    while not (barrier / GO).exists():
        time.sleep(_POLL_SECONDS)
    return SleepingAnswering(order["seconds"]), run.digest
