"""A trial of a reader on one input: what it raised, and the time and the memory that it took."""

import re
import resource
import time
import traceback
from dataclasses import dataclass

from benchmarks.fuzzing.readers import ERRORS, Reader

MOST_SECONDS = 10.0
"""Longest time of the processor that an input of 1 MB may take: other processes must not make it longer."""
MOST_BYTES = 500_000_000
"""Memory that an input of 1 MB may take beside what the process had."""

_VARIABLE = re.compile(r"[0-9]+|'[^']*'|\"[^\"]*\"|[^\x20-\x7e]")
_SIGNATURE_LENGTH = 120
_SAID_LENGTH = 10_000
_KILOBYTE = 1024


@dataclass(frozen=True)
class Outcome:
    """What became of an input.

    Attributes:
        signature: what happened, without what varies: "read", or the error and its message without numbers and names.
        problem: what is wrong about it; None for nothing.
        seconds: time of the processor that it took.
        grown: bytes by which the most memory that the process ever had grew.
    """

    signature: str
    problem: str | None
    seconds: float
    grown: int


def try_input(reader: Reader, data: bytes) -> Outcome:
    """Reads an input."""
    before = _most_memory()
    started = time.process_time()
    problem, signature = None, "read"
    try:
        found = reader.read(data)
        signature = f"read: {_without_variables(found)}" if found else "read"
    except ERRORS as error:
        message = str(error)
        signature = f"{type(error).__name__}: {_without_variables(message)}"
        if not message:
            problem = "the error has no message"
    except Exception as error:  # noqa: BLE001 -- what is looked for
        frames = traceback.extract_tb(error.__traceback__)
        place = frames[-1]
        ours = next((frame for frame in reversed(frames) if "site-packages" not in frame.filename), place)
        signature = f"{type(error).__name__} at {ours.filename.rpartition('/')[2]}:{ours.name}"
        problem = f"{signature}, line {ours.lineno}: {str(error)[:300]}"
    seconds, grown = time.process_time() - started, _most_memory() - before
    if seconds > MOST_SECONDS:
        problem, signature = f"it took {seconds:.1f} s", "too slow"
    elif grown > MOST_BYTES:
        problem, signature = f"it took {grown / 1e6:,.0f} MB of memory", "too large"
    return Outcome(signature, problem, seconds, grown)


def _without_variables(said: str) -> str:
    # Many quotation marks without a partner make the search quadratic.
    return _VARIABLE.sub("", said[:_SAID_LENGTH])[:_SIGNATURE_LENGTH]


def _most_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KILOBYTE
