"""What is done of the units of a call: a tally of the events of its workers, and the report at its end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from biogpt_onnx.corpus.run import Run, Unit
from biogpt_onnx.corpus.working.tries import SetAside, Tries


@dataclass(frozen=True)
class WorkReport:
    """What is done of the units of a call.

    Attributes:
        units: Number of units of the call's shard.
        done: Number of these that have results, whoever made them.
        documents: Number of documents of the units that are done.
        set_aside: The units that were set aside.
    """

    units: int
    done: int
    documents: int
    set_aside: tuple[SetAside, ...]

    @property
    def is_complete(self) -> bool:
        """True if all units have results."""
        return self.done == self.units


class Tally:
    """What is done of some units, by their results at the beginning and the events of workers.

    Args:
        run: The run.
        units: The units.
        tries: The tries of units.
        notice: Called with what a user should know.

    Attributes:
        num_documents: Number of documents of all the units.
    """

    def __init__(self, run: Run, units: list[Unit], tries: Tries, notice: Callable[[str], None]) -> None:
        self._units = {unit.number: unit for unit in units}
        self._run, self._tries, self._notice = run, tries, notice
        self._done = {unit.number for unit in units if run.result_file(unit).exists()}
        self._aside = {unit.number for unit in units if tries.is_aside(unit)} - self._done
        self._answering: dict[int, tuple[int, int]] = {}
        self.num_documents = sum(unit.documents for unit in units)

    @property
    def is_settled(self) -> bool:
        """True if nothing is left to do."""
        return len(self._done) + len(self._aside) == len(self._units)

    @property
    def documents(self) -> int:
        """Number of documents that are answered, those of units that are not done included."""
        begun = {unit: documents for unit, documents in self._answering.values() if unit not in self._done}
        return sum(self._units[number].documents for number in self._done) + sum(begun.values())

    def note(self, worker: int, event: Mapping[str, Any]) -> None:
        """Takes notice of an event."""
        kind, unit = event["event"], event.get("unit", -1)
        if kind in {"begun", "answered"}:
            self._answering[worker] = (unit, event.get("documents", 0))
        elif kind in {"done", "found"}:
            self._done.add(unit)
            self._answering.pop(worker, None)
        elif kind == "died":
            self._answering.pop(worker, None)
            self._notice(f"a process {event['how']} and is started again")
        elif kind == "failed":
            self._answering.pop(worker, None)
            self._notice(f"a try of unit {self._units[unit].name} failed: {event['reason']}")
        elif kind == "aside" and "reason" in event:
            self._notice(aside_in_words(self._units[unit].name, event["tries"], event["reason"]))

    def open_units(self) -> list[Unit]:
        """Returns the units that are neither done nor set aside, in order."""
        return [unit for number, unit in self._units.items() if number not in self._done | self._aside]

    def report(self) -> WorkReport:
        """Returns what is done, as the files of the run say."""
        done = [unit for unit in self._units.values() if self._run.result_file(unit).exists()]
        numbers = {unit.number for unit in done}
        aside = self._tries.aside()
        left = tuple(aside[number] for number in self._units if number in aside and number not in numbers)
        return WorkReport(len(self._units), len(done), sum(unit.documents for unit in done), left)


def aside_in_words(name: str, tries: int, reason: str) -> str:
    """Returns a line about a unit that was set aside."""
    after = f" after {tries} tries" if tries else ""
    return f"unit {name} was set aside{after}: {reason}"
