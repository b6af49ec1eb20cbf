"""Runs tests in forks of a process that has imported what they need: `python -m benchmarks.mutation.forking PACKAGE …`.

Reads requests from standard input and answers each on standard output, a line of JSON: the words of pytest's command
line, and after how many seconds it is killed. The answer is pytest's exit code, or null for one that was killed, and
the end of what it printed. Imports nothing of the package, whose files change between requests.
"""

import contextlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from importlib import import_module
from typing import Any

_MOST_BYTES = 6 << 30
"""Of memory that a fork may write to: a mutant can allocate without end."""
_POLL_SECONDS = 0.01
_SAID = 2_000


def main() -> None:
    """Imports the packages of the command line that there are, and answers requests until there are no more."""
    for name in sys.argv[1:]:
        with contextlib.suppress(ImportError):
            import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        sys.stdout.write(json.dumps(run(request["arguments"], request["seconds"])) + "\n")
        sys.stdout.flush()


def run(arguments: list[str], seconds: float) -> dict[str, Any]:
    """Runs pytest with these words of its command line in a fork, for so many seconds at most."""
    with tempfile.TemporaryFile() as said:
        process_id = os.fork()
        if not process_id:
            _test(arguments, said.fileno())
        try:
            code = _wait(process_id, seconds)
        finally:
            # The tests, if this process is interrupted, and what they started and left behind.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process_id, signal.SIGKILL)
        said.seek(0)
        return {"code": code, "said": said.read()[-_SAID:].decode(errors="replace")}


def _test(arguments: list[str], output: int) -> None:
    """Runs pytest in this process, and ends it."""
    code = 70
    try:
        os.setsid()
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123 -- a descriptor
            os.dup2(nothing.fileno(), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        resource.setrlimit(resource.RLIMIT_DATA, (_MOST_BYTES, _MOST_BYTES))
        code = int(import_module("pytest").main(arguments))
    except BaseException:  # noqa: BLE001 -- the process ends here, whatever it was
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def _wait(process_id: int, seconds: float) -> int | None:
    """Returns the exit code of a process, negative for a signal; None if it had to be killed after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(process_id, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(_POLL_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process_id, signal.SIGKILL)
    os.waitpid(process_id, 0)
    return None


if __name__ == "__main__":
    main()
