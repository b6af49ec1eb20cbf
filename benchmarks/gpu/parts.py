"""Parts of a long run, kept apart: an error in one of them, or the time it takes, costs no other."""

import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

Found = dict[str, Any]
"""Results of a part, filled in as it goes, so that what was found before an error stays."""

Part = Callable[[Found], None]

RUNNING = "running"
DONE = "done"
DONE_WITH_ERRORS = "done, with errors"
FAILED = "failed"
NOT_RUN = "not run: out of time"
BROKEN_OFF = "broken off: out of time"

_MOST_FRAMES = 6


class OutOfTimeError(Exception):
    """Raised where the seconds of the run are over."""


class Clock:
    """Clock of a run that may take so many seconds.

    Args:
        seconds: that the run may take from now on.
        now: returns the time in seconds.
    """

    def __init__(self, seconds: float, now: Callable[[], float] = perf_counter) -> None:
        self._now = now
        self._end = now() + seconds

    @property
    def left(self) -> float:
        """The seconds that are left; 0 or less when they are over."""
        return self._end - self._now()

    def check(self) -> None:
        """Ends a part that has gone on for too long.

        Raises:
            OutOfTimeError: the seconds are over.
        """
        if self.left <= 0:
            raise OutOfTimeError


def run_parts(parts: Mapping[str, Part], results: dict[str, Found], clock: Clock, write: Callable[[], None]) -> None:
    """Runs one part after the other.

    Args:
        parts: by their names, the most important first.
        results: takes what each finds, beside how it ended and the seconds that it took.
        clock: once it has run out, the parts that are left are not begun.
        write: saves the results; called before and after each part, so that a run that is killed leaves what it has.
    """
    for name, part in parts.items():
        if clock.left <= 0:
            results[name] = {"status": NOT_RUN}
        else:
            found = results[name] = {"status": RUNNING}
            write()
            start = perf_counter()
            found["status"] = _run(part, found)
            found["seconds"] = round(perf_counter() - start, 2)
        print(f"{name}: {results[name]['status']}", flush=True)
        write()


def attempt(measure: Callable[[], Found]) -> Found:
    """Returns what one measurement of a part finds, or the error that it ended with.

    Raises:
        OutOfTimeError: the measurement ran out of time, which ends the part.
    """
    try:
        return measure()
    except OutOfTimeError:
        raise
    except Exception as error:  # noqa: BLE001 -- whatever it is, the rest goes on
        return {"error": described(error)}


def described(error: BaseException) -> Found:
    """Returns an error's type and message, and where it came from: the innermost frame is the last."""
    frames = traceback.extract_tb(error.__traceback__)[-_MOST_FRAMES:]
    return {
        "type": type(error).__name__,
        "message": str(error),
        "frames": [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames],
    }


def errors_in(found: object) -> list[Found]:
    """Returns all errors that were recorded in results, however deep."""
    if isinstance(found, Mapping):
        own = [found["error"]] if isinstance(found.get("error"), dict) else []
        return own + [error for name, value in found.items() if name != "error" for error in errors_in(value)]
    if isinstance(found, list):
        return [error for value in found for error in errors_in(value)]
    return []


def _run(part: Part, found: Found) -> str:
    try:
        part(found)
    except OutOfTimeError:
        return BROKEN_OFF
    except Exception as error:  # noqa: BLE001 -- whatever it is, the other parts go on
        found["error"] = described(error)
        return FAILED
    return DONE_WITH_ERRORS if errors_in(found) else DONE
