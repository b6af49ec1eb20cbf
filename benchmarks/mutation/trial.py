"""The mutants of a room, each tested in a copy of the checkout."""

import json
import queue
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import pytest

from benchmarks.mutation.checkout_copy import CheckoutCopy
from benchmarks.mutation.covering_tests import CoveringTests
from benchmarks.mutation.mutants import Mutant
from benchmarks.mutation.rooms import Room

_RECORDING_SECONDS = 1_800
_CODES = {
    0: "survived",
    1: "failed",
    2: "unimportable",
    4: "unimportable",
    None: "undecided",
    -signal.SIGALRM: "timeout",
}
"""Outcomes of pytest's exit codes: a module that cannot be imported is an error of collecting, or of a conftest; None
is the time being up, and SIGALRM that of one test. Any other code, such as another signal, says that the change ended
pytest, and counts as failed."""


class Trial:
    """Copies of the checkout in which the mutants of one room are tested."""

    def __init__(self, room: Room, processes: int, kept: Path | None) -> None:
        """Copies the checkout and finds which of the room's tests run which line.

        Args:
            room: what is tested.
            processes: mutants that are tested at a time.
            kept: where an earlier run on the same files may have left its record of the tests, and where this run
                leaves its own.

        Raises:
            RuntimeError: a test fails before any change, or cannot be asked for by its name.
        """
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mutation-")))
            record, seconds = folder / "record.json", folder / "seconds.json"
            environment = {
                "MUTATION_RECORD": str(record),
                "MUTATION_FOLDER": room.code,
                "MUTATION_SECONDS": str(seconds),
            }
            self._copies: queue.SimpleQueue[CheckoutCopy] = queue.SimpleQueue()
            for number in range(processes):
                self._copies.put(stack.enter_context(CheckoutCopy(folder / str(number), environment)))
            self._processes = processes
            if kept is not None and kept.exists():
                shutil.copyfile(kept, record)
            else:
                self._record(room)
                if kept is not None:
                    _keep(record, kept)
            self._covering = CoveringTests(record)
            seconds.write_text(json.dumps(self._covering.durations), encoding="utf-8")
            self._check_names()
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def _record(self, room: Room) -> None:
        """Runs a room's tests on its code as it is."""
        copy = self._copies.get()
        try:
            run = copy.run(["-p", "benchmarks.mutation.recording", *room.tests], _RECORDING_SECONDS)
        finally:
            self._copies.put(copy)
        if run.code != pytest.ExitCode.OK:
            raise RuntimeError(f"the tests fail before any change:\n{run.said}")

    def _check_names(self) -> None:
        """Sees that each test can be asked for by its name, without which every mutant would seem to be caught."""
        copy = self._copies.get()
        try:
            run = copy.run(["--collect-only", *self._covering.all], _RECORDING_SECONDS)
        finally:
            self._copies.put(copy)
        if run.code != pytest.ExitCode.OK:
            raise RuntimeError(f"a test is not found by its name:\n{run.said}")

    def test(
        self, mutants: Sequence[Mutant], seconds: float, until: float, found: Callable[[Mutant, str], None]
    ) -> None:
        """Tests mutants until they are done or the time is up.

        Args:
            mutants: to be tested.
            seconds: that one may take.
            until: no mutant is begun after this moment of `time.monotonic`.
            found: called with each mutant and its outcome, in any thread.
        """

        def test_one(mutant: Mutant) -> None:
            if time.monotonic() > until:
                return
            copy = self._copies.get()
            try:
                outcome = outcome_of(copy, mutant, self._covering, seconds)
            finally:
                self._copies.put(copy)
            sys.stderr.write(f"{outcome}: {mutant.file}:{mutant.line} {mutant.operator}\n")
            found(mutant, outcome)

        with ThreadPoolExecutor(self._processes) as pool:
            try:
                for _ in pool.map(test_one, mutants):
                    pass
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def outcome_of(copy: CheckoutCopy, mutant: Mutant, covering: CoveringTests, seconds: float) -> str:
    """Tests one mutant for so many seconds at most.

    Returns:
        "timeout" only where a single test took far longer than it did before, so that the change has it loop or wait.
        Where the seconds are up by other reasons, such as many tests, it is "undecided".
    """
    tests = covering.of(mutant)
    if not tests:
        return "survived"
    with copy.changed(mutant.file, mutant.source):
        run = copy.run(["-x", "-p", "benchmarks.mutation.limiting", *tests], seconds)
    return _CODES.get(run.code, "failed")


def _keep(record: Path, kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(".part")
    shutil.copyfile(record, partial)
    partial.replace(kept)
