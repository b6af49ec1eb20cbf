"""Report of a run, on disk after each mutant, so that a run that was interrupted can go on from it."""

import json
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.mutation.mutants import Mutant
from benchmarks.results_file import write_results

OUTCOMES = ("failed", "timeout", "survived", "undecided", "unimportable")
"""Ends of a mutant: a test failed; a test took far longer than before; no test failed; none did until the time was up,
which left some out; the module cannot be imported, which says nothing of the tests."""
_NOT_CAUGHT = ("survived", "undecided")


class ContinuationError(ValueError):
    """A report that this run cannot go on from."""


class Report:
    """The outcomes of a run's mutants, room by room."""

    def __init__(self, path: Path | None, head: Mapping[str, Any]) -> None:
        """Begins an empty report.

        Args:
            path: to be written after each mutant, if any.
            head: what the report says of the run itself, at least `seed` and `checkout`, the digest of its files.
        """
        self._path = path
        self._head = dict(head)
        self._tested: dict[str, list[dict[str, Any]]] = {}
        self._lock = threading.Lock()

    @classmethod
    def continued(cls, path: Path, head: Mapping[str, Any]) -> "Report":
        """Begins with what an earlier run on the same files with the same seed has found.

        Raises:
            ContinuationError: the earlier run had other files or another seed.
        """
        report = cls(path, head)
        earlier = json.loads(path.read_text(encoding="utf-8"))
        for name in ("checkout", "seed"):
            if earlier[name] != head[name]:
                raise ContinuationError(f"{path} is of another {name}; without --continue it is made anew")
        report._tested = {name: list(room["tested"]) for name, room in earlier["rooms"].items()}
        return report

    def check_checkout(self, digest: str) -> None:
        """Sees that the files are those that the report is of.

        Raises:
            ContinuationError: they have been edited since.
        """
        if digest != self._head["checkout"]:
            raise ContinuationError("files of the checkout were changed while the run went on")

    def remaining(self, room: str, mutants: Iterable[Mutant]) -> list[Mutant]:
        """Returns the mutants of a room that have no outcome yet."""
        known = [_without_outcome(tested) for tested in self._tested.get(room, ())]
        return [mutant for mutant in mutants if mutant.to_dict() not in known]

    def add(self, room: str, mutant: Mutant, outcome: str) -> None:
        """Adds a mutant's outcome and writes the report; threads may call it."""
        with self._lock:
            self._tested.setdefault(room, []).append({**mutant.to_dict(), "outcome": outcome})
            self.write()

    def write(self) -> None:
        """Writes the report; a reader finds the earlier one or this one, whole."""
        if self._path is not None:
            write_results(self._path, {**self._head, "rooms": self.rooms})

    @property
    def rooms(self) -> dict[str, dict[str, Any]]:
        """The counts of each room and of each of its files, and every mutant with its outcome."""
        return {name: summary(tested) for name, tested in self._tested.items()}


def not_caught(tested: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Returns the mutants that no test noticed, or none until the time was up."""
    return [mutant for mutant in tested if mutant["outcome"] in _NOT_CAUGHT]


def not_caught_in(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Returns the mutants of a report that were not caught, by room, as `Mutant.to_dict` gives them."""
    rooms = json.loads(path.read_text(encoding="utf-8"))["rooms"]
    return {name: [_without_outcome(mutant) for mutant in not_caught(room["tested"])] for name, room in rooms.items()}


def summary(tested: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the counts of mutants, those of each of their files, and the mutants."""
    modules = {
        file: _counts([mutant["outcome"] for mutant in tested if mutant["file"] == file])
        for file in sorted({mutant["file"] for mutant in tested})
    }
    return {**_counts([mutant["outcome"] for mutant in tested]), "modules": modules, "tested": list(tested)}


def _counts(outcomes: Sequence[str]) -> dict[str, Any]:
    """Counts outcomes. Those that are undecided lower the share that is caught, which is then one at least."""
    counts = Counter(outcomes)
    caught = counts["failed"] + counts["timeout"]
    counted = caught + sum(counts[outcome] for outcome in _NOT_CAUGHT)
    return {
        "mutants": counted,
        "caught": caught,
        "caught_share": round(caught / counted, 4) if counted else 1.0,
        **{outcome: counts[outcome] for outcome in OUTCOMES},
    }


def _without_outcome(mutant: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in mutant.items() if name != "outcome"}
