"""Commands in processes of their own, forked from this one so that hundreds of them need not import everything anew."""

import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from biogpt_onnx.cli import main

_POLL_SECONDS = 0.001
_PATIENCE_SECONDS = 120
_BROKEN = 70


@dataclass(frozen=True)
class Ended:
    """The end of a command.

    Attributes:
        code: its exit code; minus the number of the signal that ended it.
        said: what it, and all processes that it started, wrote to standard error.
        begun: seconds from its start until something appeared in the watched folder; its whole duration if nothing did.
        seconds: seconds that it ran.
    """

    code: int
    said: str
    begun: float
    seconds: float


@dataclass(frozen=True)
class Moment:
    """When a command gets a signal.

    Attributes:
        number: the signal.
        after: seconds to wait, from its start or from the first thing that appears in the watched folder.
        from_start: True to count from its start.
    """

    number: signal.Signals
    after: float
    from_start: bool


def run_command(  # noqa: PLR0913 -- what, where, and how it is disturbed
    words: Sequence[str],
    watched: Path,
    *,
    printed: Path | None = None,
    environment: Mapping[str, str],
    moment: Moment | None = None,
    limits: Callable[[], None] = lambda: None,
) -> Ended:
    """Runs a command to its end, and waits for all processes that it started.

    Args:
        words: the command's arguments.
        watched: folder in which something appears once the work has begun.
        printed: file that gets the standard output.
        environment: environment variables beside those of this process.
        moment: the signal that it gets, and when; none if it has ended before.
        limits: called in the process before it begins, to limit its resources.

    Raises:
        TimeoutError: it hangs.
    """
    reading, writing = os.pipe()
    before = _names(watched)
    started = time.monotonic()
    process = os.fork()
    if process == 0:
        _be_command(words, printed, environment, writing, limits)
    os.close(writing)
    begun = None
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        now = time.monotonic() - started
        if ended:
            break
        if begun is None and _names(watched) != before:
            begun = now
        if moment is not None and _is_due(moment, now, begun):
            os.kill(process, moment.number)
            moment = None
        if now > _PATIENCE_SECONDS:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            raise TimeoutError(f"{' '.join(words)} hangs")
        time.sleep(_POLL_SECONDS)
    with os.fdopen(reading, encoding="utf-8", errors="replace") as stream:
        # It ends when the last process that holds it has ended, such as workers of a corpus run.
        said = stream.read()
    seconds = time.monotonic() - started
    return Ended(os.waitstatus_to_exitcode(status), said, seconds if begun is None else begun, seconds)


def address_space() -> int:
    """Returns the bytes of address space that this process has."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")


def limit_memory(most: int) -> None:
    """Lets this process have so many bytes of address space at most."""
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def limit_files(most: int) -> None:
    """Lets files that this process writes have so many bytes at most, as a full disk would."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def _is_due(moment: Moment, now: float, begun: float | None) -> bool:
    if moment.from_start:
        return now >= moment.after
    return begun is not None and now >= begun + moment.after


def _names(folder: Path) -> set[str]:
    try:
        return {entry.name for entry in os.scandir(folder)}
    except OSError:
        return set()


def _be_command(
    words: Sequence[str],
    printed: Path | None,
    environment: Mapping[str, str],
    errors: int,
    limits: Callable[[], None],
) -> None:
    """Becomes the command, and ends with its exit code."""
    code = _BROKEN
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        target = os.devnull if printed is None else printed
        os.dup2(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), 1)
        os.dup2(errors, 2)
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode) for number, mode in ((0, "r"), (1, "w"), (2, "w")))
        os.environ.update(environment)
        limits()
        code = main(list(words))
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001 -- as the interpreter does with what nobody handles
        traceback.print_exc()
        code = 1
    finally:
        for stream in (sys.stderr, sys.stdout):
            try:
                stream.flush()
            except (OSError, ValueError):
                code = code or 1
        os._exit(code)
