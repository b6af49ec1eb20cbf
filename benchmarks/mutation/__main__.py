"""Changes the code in a place at a time and looks whether a test fails: `python -m benchmarks.mutation --output FILE`.

The mutants are a sample, drawn by a seed. Each is tested in a copy of the checkout by the tests of its room that run
the changed statement, the quickest first, for `--seconds` at most. One that a test fails for, or takes far longer with
than without, is caught. One that no test fails for before the time is up is undecided, and counts as not caught. One
with which the module cannot be imported says nothing of the tests and is not counted. Exits with 1 if fewer than 85 %
of a room's mutants are caught, or some are left for `--continue`.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.mutation.checkout_copy import checkout_digest
from benchmarks.mutation.mutants import Mutant, sample_mutants
from benchmarks.mutation.report import ContinuationError, Report, not_caught, not_caught_in
from benchmarks.mutation.rooms import ROOMS, Room
from benchmarks.mutation.trial import Trial
from benchmarks.processes import CHECKOUT
from benchmarks.results_file import output_file, stamp

_LEAST_CAUGHT = 0.85


def main(arguments: Sequence[str] | None = None) -> int:
    """Tests the mutants of every room and writes the report."""
    options = _options(arguments)
    until = time.monotonic() + 60 * options.minutes
    names = options.room or list(ROOMS)
    try:
        samples = {name: _sample(name, ROOMS[name], options) for name in names}
        report = _begun(options)
        left = {name: _test_room(name, samples[name], report, options, until) for name in names}
    except ContinuationError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    rooms = report.rooms
    for name in names:
        if name in rooms:
            _say(name, rooms[name])
    if any(left.values()):
        sys.stdout.write(f"{sum(left.values())} mutants are left; --continue goes on with them\n")
        return 1
    return 1 if any(room["caught_share"] < _LEAST_CAUGHT for room in rooms.values()) else 0


def _begun(options: argparse.Namespace) -> Report:
    """Returns the report to go on from, or an empty one, which it writes."""
    head = {
        **stamp(),
        "checkout": checkout_digest(),
        "seed": options.seed,
        "mutants_each": options.mutants,
        "seconds_each": options.seconds,
    }
    if options.output is None:
        return Report(None, head)
    if options.go_on and options.output.exists():
        report = Report.continued(options.output, head)
    else:
        report = Report(options.output, head)
        shutil.rmtree(_records(options.output), ignore_errors=True)
    report.write()
    return report


def _records(output: Path) -> Path:
    """Returns the folder, beside a report, of the records of which tests run which line."""
    return output.with_suffix(".records")


def _test_room(name: str, mutants: Sequence[Mutant], report: Report, options: argparse.Namespace, until: float) -> int:
    """Tests the mutants of a room that have no outcome yet, and returns how many are left."""
    remaining = report.remaining(name, mutants)
    if remaining and time.monotonic() < until:
        kept = None if options.output is None else _records(options.output) / f"{name}.json"
        with Trial(ROOMS[name], options.processes, kept) as trial:
            # Copied by now; what is edited from here on changes nothing.
            report.check_checkout(checkout_digest())
            trial.test(remaining, options.seconds, until, lambda mutant, outcome: report.add(name, mutant, outcome))
    return len(report.remaining(name, remaining))


def _sample(name: str, room: Room, options: argparse.Namespace) -> list[Mutant]:
    mutants = sample_mutants(CHECKOUT, room.files(CHECKOUT), options.mutants, f"{options.seed}/{name}")
    if options.survivors_of is None:
        return mutants
    survivors = not_caught_in(options.survivors_of).get(name, ())
    return [mutant for mutant in mutants if mutant.to_dict() in survivors]


def _say(name: str, room: dict[str, Any]) -> None:
    sys.stdout.write(
        f"{name}: {room['caught']} of {room['mutants']} caught ({100 * room['caught_share']:.1f} %), "
        f"{room['timeout']} of them by the time; {room['undecided']} are undecided, "
        f"{room['unimportable']} could not be imported\n"
    )
    for mutant in not_caught(room["tested"]):
        sys.stdout.write(f"  {mutant['outcome']}: {mutant['file']}:{mutant['line']} {mutant['operator']}\n")
        sys.stdout.write(f"    - {mutant['was']}\n    + {mutant['became']}\n")
    sys.stdout.flush()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.mutation", description=__doc__)
    parser.add_argument("--output", type=output_file, help="report to write")
    parser.add_argument("--mutants", type=int, default=200, help="mutants of each room (default 200)")
    parser.add_argument("--room", nargs="+", choices=list(ROOMS), help="these rooms alone")
    parser.add_argument("--seed", default="0", help="seed of the sample (default 0)")
    parser.add_argument("--processes", type=int, default=1, help="mutants that are tested at a time (default 1)")
    parser.add_argument("--seconds", type=float, default=60, help="time of a mutant at most (default 60)")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no mutant after so many minutes")
    parser.add_argument(
        "--continue",
        dest="go_on",
        action="store_true",
        help="keep what the report has of an earlier run on the same files with the same seed",
    )
    parser.add_argument(
        "--survivors-of", type=Path, help="only those mutants of the sample that this earlier report has as not caught"
    )
    options = parser.parse_args(arguments)
    if options.go_on and options.output is None:
        parser.error("--continue needs the --output to go on from")
    return options


if __name__ == "__main__":
    sys.exit(main())
