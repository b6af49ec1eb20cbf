"""Choice of the tests that can notice a mutant, from a record of which test runs which line."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.mutation.mutants import Mutant


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

    def seconds(self, tests: Sequence[str]) -> float:
        """Returns how long these tests took in all."""
        return sum(self._seconds[test] for test in tests)

    def _in_order(self, tests: Iterable[str]) -> list[str]:
        """Sorts tests so that those of a file stay together, whose fixtures are then made once."""
        chosen = list(tests)
        of_file: dict[str, float] = {}
        for test in chosen:
            of_file[_file(test)] = of_file.get(_file(test), 0.0) + self._seconds[test]
        return sorted(chosen, key=lambda test: (of_file[_file(test)], _file(test), self._seconds[test], test))


def _file(test: str) -> str:
    return test.partition("::")[0]
