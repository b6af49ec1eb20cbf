"""A server of any make as a process that is measured: `python -m benchmarks.server.hosted [OPTIONS] -- COMMAND`.

Starts the command, waits until it answers, and says then on which port; asked, it says what the server uses. The
server is in its process group, and is halted and ended with it.
"""

import argparse
import contextlib
import http.client
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.server.process_usage import usage
from benchmarks.serving import Handlers, serve

_POLL_SECONDS = 0.05
_LOG_CHARACTERS = 300


def free_port() -> int:
    """Returns a port of this machine's own address that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def host(command: Sequence[str], ready: str, log: Path, patience: float) -> tuple[Mapping[str, object], Handlers]:
    """Starts a server and waits until it is ready.

    Args:
        command: program and arguments, in which `{port}` stands for the port.
        ready: the path that is answered with 200 once it is ready.
        log: file for what it prints.
        patience: seconds that it may take.

    Returns:
        The first line of this process, `port`, `process_id` and `start_seconds`, and the functions that answer.

    Raises:
        RuntimeError: it ended, or was not ready in time.
    """
    port = free_port()
    began = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [word.replace("{port}", str(port)) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    while not _answers(port, ready):
        code = process.poll()
        if code is not None:
            raise RuntimeError(f"it ended with {code} before it was ready ({_last_line(log)})")
        if time.perf_counter() - began > patience:
            process.kill()
            raise RuntimeError(f"it was not ready within {patience:g} seconds ({_last_line(log)})")
        time.sleep(_POLL_SECONDS)
    first = {"port": port, "process_id": process.pid, "start_seconds": time.perf_counter() - began}
    return first, {"usage": lambda: usage(process.pid)}


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    return False


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1][:_LOG_CHARACTERS] if lines else "it said nothing"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ready", default="/health", metavar="PATH", help="answered with 200 once it is ready")
    parser.add_argument("--log", type=Path, required=True, metavar="FILE", help="what it prints")
    parser.add_argument("--patience", type=float, default=300, metavar="SECONDS", help="that it may take (default 300)")
    parser.add_argument("command", nargs="+", help="program and arguments; {port} stands for the port")
    return parser


if __name__ == "__main__":
    options = _parser().parse_args()
    serve(lambda: host(options.command, options.ready, options.log, options.patience))
