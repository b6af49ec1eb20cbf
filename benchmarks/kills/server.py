"""The server, killed while it starts, waits and answers: the next start works, and answers the same."""

import http.client
import json
import os
import random
import shutil
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.kills.trials import SIGNALS, Bench
from biogpt_onnx.cli import main

SERVER = "serve"
"""Name of the server among the jobs."""

_BODY = json.dumps({"model": "int8", "prompt": "Aspirin inhibits", "max_tokens": 24, "temperature": 0}).encode()
_PATIENCE_SECONDS = 60
_POLL_SECONDS = 0.005
_LONGEST_SECONDS = 1.5
_DRAINED = (0, 130, 143)


class _Connection(http.client.HTTPConnection):
    """A connection over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_PATIENCE_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_PATIENCE_SECONDS)
        self.sock.connect(str(self._path))


def server_trials(bench: Bench, faults: Sequence[str], trials: int, seed: str) -> Mapping[str, list[dict[str, Any]]]:
    """Kills servers by each of some signals, so many times each, and returns what was found."""
    for folder in (bench.work, bench.temporary):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    expected, _ = _undisturbed(bench)
    return {
        fault: [_trial(bench, fault, f"{seed}/{SERVER}/{fault}/{number}", expected) for number in range(trials)]
        for fault in faults
    }


def _trial(bench: Bench, fault: str, seed: str, expected: str) -> dict[str, Any]:
    after = random.Random(seed).uniform(0, _LONGEST_SECONDS)  # noqa: S311 -- trials that can be repeated
    process, path = _start(bench)
    started, sent = time.monotonic(), None
    while time.monotonic() - started < after:
        if sent is None and path.exists():
            sent = _asked(path)
        time.sleep(_POLL_SECONDS)
    os.kill(process, SIGNALS[fault])
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    problems = []
    if code not in (*_DRAINED, -SIGNALS[fault]):
        problems.append(f"it ended with {code}")
    answer, code_of_next = _undisturbed(bench)
    if answer != expected:
        problems.append(f"the next server answers {answer!r}")
    if code_of_next not in _DRAINED:
        problems.append(f"the next server ended with {code_of_next}")
    if left := sorted(bench.listing() - {"work", "temporary"}):
        problems.append(f"left over: {', '.join(left)}")
    how = f"after {after:.3f} s, {'while it started' if sent is None else 'with a request'}"
    return {"seed": seed, "how": how, "code": code, "left": "nothing", "problems": problems}


def _undisturbed(bench: Bench) -> tuple[str, int]:
    """Starts a server, and returns its answer and its exit code."""
    process, path = _start(bench)
    answer = "none"
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        connection = _asked(path)
        if connection is None:
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                return answer, os.waitstatus_to_exitcode(status)
            time.sleep(_POLL_SECONDS)
            continue
        try:
            found = json.loads(connection.getresponse().read())
            answer = str(found["choices"][0]["text"])
        except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
            answer = f"{type(error).__name__}: {error}"
        break
    os.kill(process, signal.SIGTERM)
    return answer, os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _asked(path: Path) -> _Connection | None:
    """Sends the request; returns None if nobody listens."""
    connection = _Connection(path)
    try:
        connection.request("POST", "/v1/completions", _BODY, {"Content-Type": "application/json"})
    except OSError:
        return None
    return connection


def _start(bench: Bench) -> tuple[int, Path]:
    path = bench.work / "socket"
    words = [SERVER, str(bench.inputs.small), "--unix-socket", str(path), "--threads", "1"]
    process = os.fork()
    if process == 0:
        code = 1
        try:
            silent = os.open(os.devnull, os.O_RDWR)
            for number in range(3):
                os.dup2(silent, number)
            code = main(words)
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        finally:
            os._exit(code)
    return process, path
