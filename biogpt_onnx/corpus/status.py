"""Status of a corpus run: what is done, what is being done, what was set aside, and the errors by their kinds."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from biogpt_onnx.corpus.results import ErrorKind, most_frequent, read_result
from biogpt_onnx.corpus.run import Run
from biogpt_onnx.corpus.working.claims import Claims
from biogpt_onnx.corpus.working.tries import SetAside, Tries
from biogpt_onnx.runtime.errors import DocumentError

_MOST_KINDS = 20


@dataclass(frozen=True)
class RunStatus:
    """The status of a run.

    Attributes:
        task: The name of the task.
        units: Number of units.
        documents: Number of documents.
        done: Number of units with results.
        done_documents: Number of their documents.
        running: Number of units without results that a process has claimed.
        set_aside: The units without results that were set aside.
        damaged: What is wrong with results that cannot be read; their units do not count as done.
        errors: The most frequent errors of documents by their kinds, the most frequent first.
        num_errors: Number of documents whose results are errors.
        documents_a_minute: Number of documents that one process has answered in a minute; None if none is done.
        hours_left: Hours that the processes that are running would take for the rest; None if none is running or done.
    """

    task: str
    units: int
    documents: int
    done: int
    done_documents: int
    running: int
    set_aside: tuple[SetAside, ...]
    damaged: tuple[str, ...]
    errors: Mapping[str, ErrorKind]
    num_errors: int
    documents_a_minute: float | None
    hours_left: float | None

    @property
    def is_complete(self) -> bool:
        """True if all units have results."""
        return self.done == self.units

    @property
    def waiting(self) -> int:
        """Number of units that nothing was done about yet."""
        return self.units - self.done - self.running - len(self.set_aside)

    def to_dict(self) -> dict[str, Any]:
        """Returns the status as JSON values."""
        return {**asdict(self), "waiting": self.waiting, "is_complete": self.is_complete}


def status(run: str | os.PathLike[str]) -> RunStatus:
    """Reads the status of a run, at any time and from any machine; nothing is changed.

    Args:
        run: The folder of the run.

    Raises:
        DocumentError: The folder is no run, or is damaged.
    """
    opened = Run.open(run)
    errors: dict[str, ErrorKind] = {}
    done: set[int] = set()
    damaged: list[str] = []
    done_documents, seconds = 0, 0.0
    for unit in opened.units:
        try:
            result = read_result(opened, unit)
        except DocumentError as error:
            damaged.append(str(error))
            continue
        if result is None:
            continue
        done.add(unit.number)
        done_documents += unit.documents
        seconds += result.seconds
        for kind, found in result.errors.items():
            errors.setdefault(kind, ErrorKind()).add(found)
    aside = tuple(each for number, each in Tries(opened).aside().items() if number not in done)
    running = _num_running(opened, done | {each.unit for each in aside})
    left = opened.num_documents - done_documents
    speed = 60 * done_documents / seconds if seconds else None
    return RunStatus(
        str(opened.description["task"]["name"]),
        len(opened.units),
        opened.num_documents,
        len(done),
        done_documents,
        running,
        aside,
        tuple(damaged),
        dict(most_frequent(errors, _MOST_KINDS)),
        sum(kind.count for kind in errors.values()),
        None if speed is None else round(speed, 1),
        round(left / (60 * speed * running), 2) if speed and running else None,
    )


def _num_running(run: Run, settled: set[int]) -> int:
    claims = Claims(run)
    try:
        return sum(1 for number in claims.held() if number not in settled)
    finally:
        claims.close()
