"""Checks how much of each room its tests run: `python tests/check_coverage.py build/coverage/*/report.json`.

Reads what `coverage json` wrote, prints a table, and exits with 1 where a room's tests run too little of its statements
and branches. `--missing` lists what is not run. Needs the standard library alone.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LEAST_PERCENT = 95.0


@dataclass(frozen=True)
class Counts:
    """Statements and branches of some files, and how many of them ran."""

    statements: int = 0
    statements_run: int = 0
    branches: int = 0
    branches_run: int = 0

    def plus(self, summary: Mapping[str, Any]) -> "Counts":
        """Returns these with those of another file, as coverage's report counts them."""
        return Counts(
            self.statements + summary["num_statements"],
            self.statements_run + summary["covered_lines"],
            self.branches + summary["num_branches"],
            self.branches_run + summary["covered_branches"],
        )

    @property
    def percents(self) -> tuple[float, float, float]:
        """The shares of statements, of branches, and of both together."""
        both = (self.statements_run + self.branches_run, self.statements + self.branches)
        pairs = ((self.statements_run, self.statements), (self.branches_run, self.branches), both)
        run, branches, together = (100 * part / whole if whole else 100.0 for part, whole in pairs)
        return run, branches, together


def room_of(file: str) -> str:
    """Returns the room that a file is part of, such as "runtime" or "biogpt_onnx/tasks"."""
    parts = file.replace("\\", "/").split("/")
    return "/".join(parts[: 2 if parts[0] == "biogpt_onnx" else 1])


def counts_by_room(files: Mapping[str, Mapping[str, Any]]) -> dict[str, Counts]:
    """Adds up the files of each room."""
    rooms: dict[str, Counts] = defaultdict(Counts)
    for name, content in files.items():
        rooms[room_of(name)] = rooms[room_of(name)].plus(content["summary"])
    return dict(sorted(rooms.items()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", nargs="+", help="report of a room; none holds files of another")
    parser.add_argument("--missing", action="store_true", help="list the lines and branches that no test runs")
    options = parser.parse_args(arguments)
    files: dict[str, Any] = {}
    for report in options.report:
        with open(report, encoding="utf-8") as file:  # noqa: PTH123 -- one name, read once
            files |= json.load(file)["files"]
    rooms = counts_by_room(files)
    sys.stdout.write("room                 statements   branches       both\n")
    for room, counts in rooms.items():
        shares = "".join(f"{share:9.1f} %" for share in counts.percents)
        sys.stdout.write(f"{room:20}{shares}\n")
    if options.missing:
        for name, content in sorted(files.items()):
            if content["missing_lines"] or content["missing_branches"]:
                branches = ", ".join(f"{start}->{end}" for start, end in content["missing_branches"])
                lines = ", ".join(map(str, content["missing_lines"]))
                sys.stdout.write(f"{name}: lines {lines or 'none'}; branches {branches or 'none'}\n")
    short = [room for room, counts in rooms.items() if min(counts.percents) < LEAST_PERCENT]
    if not rooms or short:
        sys.stdout.write(f"less than {LEAST_PERCENT:g} % of {', '.join(short) or 'nothing measured'}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
