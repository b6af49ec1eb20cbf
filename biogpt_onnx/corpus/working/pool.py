"""A pool of processes on one machine, which answer the units of a run; one that dies is started again."""

import contextlib
import json
import queue
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any, NamedTuple

from biogpt_onnx.runtime.background import start_in_background
from biogpt_onnx.runtime.errors import BioGptError
from biogpt_onnx.runtime.system.processes import apart_from_terminal

REFUSED = 3
"""Exit code of a process that reported an error."""

_MODULE = "biogpt_onnx.corpus.working.process"
_MOST_EARLY_ENDS = 3
_PATIENCE_SECONDS = 60.0
_TICK_SECONDS = 0.5


class PoolEvent(NamedTuple):
    """An event of a process of the pool.

    Attributes:
        worker: The number of the process, from 0; -1 for the pool itself, which lets time pass.
        values: The event as JSON values.
    """

    worker: int
    values: Mapping[str, Any]


TICK = PoolEvent(-1, {"event": "tick"})


@contextmanager
def running_pool(orders: Sequence[Mapping[str, Any]]) -> Iterator[Iterator[PoolEvent]]:
    """Starts a process for each order, and ends them with the block.

    Processes that are asked to end finish the batch that they are answering, and leave the run as it can be continued.

    Args:
        orders: What each process is to do; see `biogpt_onnx.corpus.working.process`.

    Yields:
        The events of all, up to the end of the last process. Besides those that `Worker` reports there are "ready",
        "died", with "how", for a process that was started again, and `TICK` where nothing happens.
    """
    pool = _Pool(orders)
    try:
        pool.start()
        yield pool.events()
    finally:
        pool.end()


class _Member:
    """A process of the pool.

    Attributes:
        early_ends: Number of times that it died in a row before it began a unit.
        error: The error that it reported; None for none.
    """

    def __init__(self, number: int, order: Mapping[str, Any]) -> None:
        self._number, self._order = number, order
        self.process: subprocess.Popen[str] | None = None
        self.early_ends = 0
        self.error: str | None = None

    def start(self, events: "queue.SimpleQueue[PoolEvent | int]") -> None:
        # A group of its own: Ctrl-C on a terminal is for the pool, which then ends its processes in order.
        self.process = subprocess.Popen(  # noqa: S603 -- this package
            [sys.executable, "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            **apart_from_terminal(),
        )
        if self.process.stdin is not None:
            # One that has ended already says so by the end of its output.
            with contextlib.suppress(OSError):
                self.process.stdin.write(json.dumps(self._order) + "\n")
                self.process.stdin.flush()
        start_in_background(self._read, self.process, events)

    def ask_to_end(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()

    def _read(self, process: "subprocess.Popen[str]", events: "queue.SimpleQueue[PoolEvent | int]") -> None:
        for line in process.stdout or ():
            # The last line of a process that was killed may be cut.
            with contextlib.suppress(ValueError):
                events.put(PoolEvent(self._number, json.loads(line)))
        events.put(self._number)


class _Pool:
    def __init__(self, orders: Sequence[Mapping[str, Any]]) -> None:
        self._members = [_Member(number, order) for number, order in enumerate(orders)]
        self._events: queue.SimpleQueue[PoolEvent | int] = queue.SimpleQueue()

    def start(self) -> None:
        for member in self._members:
            member.start(self._events)

    def events(self) -> Iterator[PoolEvent]:
        """Yields events up to the end of the last process.

        Raises:
            BioGptError: A process reported an error, or died several times in a row before it began a unit.
        """
        left = len(self._members)
        while left:
            try:
                event = self._events.get(timeout=_TICK_SECONDS)
            except queue.Empty:
                yield TICK
                continue
            if isinstance(event, PoolEvent):
                yield self._noted(event)
            elif (died := self._ended(event)) is not None:
                yield died
            else:
                left -= 1

    def end(self) -> None:
        """Asks all processes to end, waits for them, and ends those that do not."""
        for member in self._members:
            member.ask_to_end()
        deadline = monotonic() + _PATIENCE_SECONDS
        try:
            for process in self._processes():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, deadline - monotonic()))
        finally:
            for process in self._processes():
                process.kill()
                process.wait()
                if process.stdout is not None:
                    process.stdout.close()

    def _processes(self) -> list["subprocess.Popen[str]"]:
        return [member.process for member in self._members if member.process is not None]

    def _noted(self, event: PoolEvent) -> PoolEvent:
        member = self._members[event.worker]
        if event.values["event"] == "error":
            member.error = str(event.values["message"])
        elif event.values["event"] == "begun":
            member.early_ends = 0
        return event

    def _ended(self, number: int) -> PoolEvent | None:
        """Starts a process that died again; returns None for one that is done."""
        member = self._members[number]
        code = member.process.wait() if member.process is not None else 0
        if code == 0:
            return None
        if code == REFUSED and member.error is not None:
            raise BioGptError(member.error)
        member.early_ends += 1
        if member.early_ends >= _MOST_EARLY_ENDS:
            raise BioGptError(
                f"a process {how_it_ended(code)} {_MOST_EARLY_ENDS} times before it began a unit: give fewer --workers "
                "if the memory does not suffice, or try `biogpt-onnx info --check` on the bundle"
            )
        member.start(self._events)
        return PoolEvent(number, {"event": "died", "how": how_it_ended(code)})


def how_it_ended(code: int) -> str:
    """Returns how a process ended, in words."""
    return f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
