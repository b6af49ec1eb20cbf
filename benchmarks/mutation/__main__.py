"""Changes the code in a place at a time and looks whether a test fails: `python -m benchmarks.mutation --output FILE`.

The mutants are a sample, drawn by a seed. Each is tested in a copy of the checkout by the tests of its room that run
the changed statement. One that a test fails for, or never ends with, is caught. One with which the module cannot be
imported says nothing of the tests and is not counted. Exits with 1 if fewer than 85 % of a room's mutants are caught.
"""

import argparse
import json
import queue
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from benchmarks.mutation.checkout_copy import CheckoutCopy
from benchmarks.mutation.covering_tests import CoveringTests
from benchmarks.mutation.mutants import Mutant, sample_mutants
from benchmarks.mutation.rooms import ROOMS, Room
from benchmarks.processes import CHECKOUT
from benchmarks.results_file import stamp, write_results

_LEAST_CAUGHT = 0.85
_RECORDING_SECONDS = 1_800
_OUTCOMES = ("failed", "timeout", "survived", "unimportable")
_CODES = {0: "survived", 1: "failed", 2: "unimportable", 4: "unimportable"}
"""Outcomes of pytest's exit codes: a module that cannot be imported is an error of collecting, or of a conftest."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Tests the mutants of every room and writes the report."""
    options = _options(arguments)
    found: dict[str, Any] = {**stamp(), "seed": options.seed, "mutants_each": options.mutants, "rooms": {}}
    for name in options.room or ROOMS:
        found["rooms"][name] = _test_room(name, ROOMS[name], options)
    if options.output is not None:
        write_results(options.output, found)
    return 1 if any(room["caught_share"] < _LEAST_CAUGHT for room in found["rooms"].values()) else 0


def _test_room(name: str, room: Room, options: argparse.Namespace) -> dict[str, Any]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mutation-")))
        record = folder / "record.json"
        environment = {"MUTATION_RECORD": str(record), "MUTATION_FOLDER": room.code}
        copies: queue.SimpleQueue[CheckoutCopy] = queue.SimpleQueue()
        for number in range(options.processes):
            copies.put(stack.enter_context(CheckoutCopy(folder / str(number), environment)))
        covering = _recorded(copies, room, record)
        mutants = _sample(room, f"{options.seed}/{name}", options)

        def outcome(mutant: Mutant) -> str:
            copy = copies.get()
            try:
                found = _outcome(copy, mutant, covering)
            finally:
                copies.put(copy)
            sys.stderr.write(f"{found}: {mutant.file}:{mutant.line} {mutant.operator}\n")
            return found

        with ThreadPoolExecutor(options.processes) as pool:
            outcomes = list(pool.map(outcome, mutants))
    result = summary(mutants, outcomes)
    _say(name, result)
    return result


def _recorded(copies: "queue.SimpleQueue[CheckoutCopy]", room: Room, record: Path) -> CoveringTests:
    """Runs a room's tests on its code as it is, and returns which of them run which line.

    Raises:
        RuntimeError: a test fails, or cannot be asked for by its name, so that mutants would seem to be caught.
    """
    copy = copies.get()
    try:
        run = copy.run(["-p", "benchmarks.mutation.recording", *room.tests], _RECORDING_SECONDS)
        if run.code != pytest.ExitCode.OK:
            raise RuntimeError(f"the tests fail before any change:\n{run.said}")
        covering = CoveringTests(record)
        run = copy.run(["--collect-only", *covering.all], _RECORDING_SECONDS)
        if run.code != pytest.ExitCode.OK:
            raise RuntimeError(f"a test is not found by its name:\n{run.said}")
    finally:
        copies.put(copy)
    return covering


def _sample(room: Room, seed: str, options: argparse.Namespace) -> list[Mutant]:
    mutants = sample_mutants(CHECKOUT, room.files(CHECKOUT), options.mutants, seed)
    if options.survivors_of is None:
        return mutants
    rooms = json.loads(options.survivors_of.read_text(encoding="utf-8"))["rooms"].values()
    survivors = [survivor for earlier in rooms for survivor in earlier["survivors"]]
    return [mutant for mutant in mutants if mutant.to_dict() in survivors]


def _outcome(copy: CheckoutCopy, mutant: Mutant, covering: CoveringTests) -> str:
    tests = covering.of(mutant)
    if not tests:
        return "survived"
    with copy.changed(mutant.file, mutant.source):
        run = copy.run(["-x", *tests], 30 + 4 * covering.seconds(tests))
    # Anything else, such as a signal, ended pytest itself.
    return "timeout" if run.code is None else _CODES.get(run.code, "failed")


def summary(mutants: Sequence[Mutant], outcomes: Sequence[str]) -> dict[str, Any]:
    """Returns the counts of a room and of each of its files, and the mutants that no test noticed."""
    pairs = list(zip(mutants, outcomes, strict=True))
    modules = {
        file: _counts([outcome for mutant, outcome in pairs if mutant.file == file])
        for file in sorted({mutant.file for mutant in mutants})
    }
    survivors = [mutant.to_dict() for mutant, outcome in pairs if outcome == "survived"]
    return {**_counts(outcomes), "modules": modules, "survivors": survivors}


def _counts(outcomes: Sequence[str]) -> dict[str, Any]:
    counts = Counter(outcomes)
    caught = counts["failed"] + counts["timeout"]
    counted = caught + counts["survived"]
    return {
        "mutants": counted,
        "caught": caught,
        "caught_share": round(caught / counted, 4) if counted else 1.0,
        **{outcome: counts[outcome] for outcome in _OUTCOMES},
    }


def _say(name: str, result: dict[str, Any]) -> None:
    sys.stdout.write(
        f"{name}: {result['caught']} of {result['mutants']} caught ({100 * result['caught_share']:.1f} %), "
        f"{result['timeout']} of them by the time; {result['unimportable']} could not be imported\n"
    )
    for survivor in result["survivors"]:
        sys.stdout.write(f"  {survivor['file']}:{survivor['line']} {survivor['operator']}\n")
        sys.stdout.write(f"    - {survivor['was']}\n    + {survivor['became']}\n")
    sys.stdout.flush()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.mutation", description=__doc__)
    parser.add_argument("--output", type=Path, help="report to write")
    parser.add_argument("--mutants", type=int, default=200, help="mutants of each room (default 200)")
    parser.add_argument("--room", nargs="+", choices=list(ROOMS), help="these rooms alone")
    parser.add_argument("--seed", default="0", help="seed of the sample (default 0)")
    parser.add_argument("--processes", type=int, default=1, help="mutants that are tested at a time (default 1)")
    parser.add_argument(
        "--survivors-of", type=Path, help="only those mutants of the sample that survived in this earlier report"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
