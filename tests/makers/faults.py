"""Calls of `corpus work` with processes that crash or are slow at a certain place."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from makers.corpora import end_of, start_work, wait_for

Merged = Callable[[Path], bytes]

IN_UNIT = """
import biogpt_onnx.corpus.working.answering as answering

records = answering.UnitAnswering.records

def changed(self, unit, rows, cancel=None):
    {what}
    return records(self, unit, rows, cancel)

answering.UnitAnswering.records = changed
"""
"""A change of what a process does at the beginning of each unit."""

SLOW = "cancel.wait(120) if unit.number == 1 and not __import__('pathlib').Path({flag!r}).exists() else None"
"""Unit 1 takes two minutes, unless a file is there."""

CRASHING = "__import__('os').kill(__import__('os').getpid(), 9) if unit.number == 2 else None"


class Scene:
    """A run, what its merged file must be, and the calls that work on it.

    Attributes:
        run: the run.
        flag: a file that ends the slowness of `SLOW`.
    """

    def __init__(self, run: Path, bundle: Path, expected: bytes, merged: Merged) -> None:
        self.run, self.flag = run, run.with_name("fast")
        self._bundle, self._expected, self._merged = bundle, expected, merged

    def start(self, *more: str, code: str = "", place: str = "hook") -> "subprocess.Popen[str]":
        """Starts a call; all its processes run the code before all else."""
        folder = self.run.with_name(place)
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(code, encoding="utf-8")
        return start_work(self.run, self._bundle, *more, hook=folder)

    def start_slow(self, *more: str) -> "subprocess.Popen[str]":
        """Starts a call, by default with one process, and waits until it is in unit 1, where it is slow."""
        what = SLOW.format(flag=str(self.flag))
        process = self.start(*(more or ("--workers", "1")), "--threads", "1", code=IN_UNIT.format(what=what))
        wait_for(lambda: list((self.run / "tries").glob("000001.*")))
        return process

    def finish(self, *more: str) -> None:
        """Answers what is left."""
        assert end_of(self.start("--workers", "1", *more))[0] == 0

    def check(self) -> None:
        """Checks that nothing is missing, nothing is there twice, and no byte differs."""
        assert self._merged(self.run) == self._expected

    def left(self) -> list[str]:
        """The files of claims and tries."""
        return [path.name for name in ("claims", "tries") for path in (self.run / name).iterdir()]
