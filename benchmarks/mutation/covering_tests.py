"""Choice of the tests that can notice a mutant, from a record of which test runs which line."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks.mutation.mutants import Mutant

_SLOW_SECONDS = 3


class CoveringTests:
    """The tests that run a statement, the quickest files of tests first."""

    def __init__(self, record: Path) -> None:
        """Reads what `benchmarks.mutation.recording` wrote."""
        content = json.loads(record.read_text(encoding="utf-8"))
        self._lines: dict[str, dict[str, list[str]]] = content["lines"]
        self._seconds: dict[str, float] = content["seconds"]

    @property
    def all(self) -> list[str]:
        """Every test that was recorded."""
        return list(self._seconds)

    def of(self, mutant: Mutant) -> list[str]:
        """Returns the tests that run the changed statement, and then the other tests of their files.

        The others are there because a fixture that several tests of a file share has run the statement for the first
        of them alone. Of a statement that runs when the module is imported, these are the tests that run any of it.
        """
        lines = self._lines.get(mutant.file, {})
        first, last = mutant.statement
        direct = {test for line in range(first, last + 1) for test in lines.get(str(line), ())}
        direct = direct or {test for tests in lines.values() for test in tests}
        files = {_file(test) for test in direct}
        return self._in_order(direct) + self._in_order(
            test for test in self._seconds if _file(test) in files and test not in direct
        )

    @property
    def durations(self) -> Mapping[str, float]:
        """How many seconds each test took."""
        return self._seconds

    def _in_order(self, tests: Iterable[str]) -> list[str]:
        """Sorts tests so that those of a file stay together, whose fixtures are then made once; slow ones come last."""
        chosen = list(tests)
        slow = {test for test in chosen if self._seconds[test] > _SLOW_SECONDS}
        of_file: dict[str, float] = {}
        for test in set(chosen) - slow:
            of_file[_file(test)] = of_file.get(_file(test), 0.0) + self._seconds[test]

        def place(test: str) -> tuple[bool, float, str, float, str]:
            return test in slow, of_file.get(_file(test), 0.0), _file(test), self._seconds[test], test

        return sorted(chosen, key=place)


def _file(test: str) -> str:
    return test.partition("::")[0]
