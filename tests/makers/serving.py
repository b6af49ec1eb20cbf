"""The server as a process of its own, as people run it."""

import http.client
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

COMMAND = ("-m", "biogpt_onnx", "serve")
"""What Python runs for the command that serves."""
KEY = "a-key-of-the-tests-0123"
"""A key that servers of tests ask for."""


class Process:
    """A server that runs.

    Attributes:
        port: its port; 0 if it has none.
        log: the lines of its log so far.

    Args:
        bundle: what it serves.
        options: further options.
        program: what Python runs, which takes the options of the command `serve`.
        patience: seconds after which what is waited for is given up.
    """

    def __init__(self, bundle: Path, *options: str, program: Sequence[str] = COMMAND, patience: float = 60) -> None:
        self.log: list[str] = []
        self._patience = patience
        command = [sys.executable, *program, str(bundle), "--port", "0", "--threads", "1", *options]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        line = self.wait_for("is served at")
        found = re.search(r"://.*:(\d+)", line)
        self.port = int(found[1]) if found else 0

    @property
    def pid(self) -> int:
        """The identifier of its process."""
        return self._process.pid

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self.port}"

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.log.append(line.rstrip())

    def wait_for(self, words: str) -> str:
        end = time.monotonic() + self._patience
        while time.monotonic() < end:
            for line in list(self.log):
                if words in line:
                    return line
            assert self._process.poll() is None or self._reader.is_alive(), self.log
            time.sleep(0.01)
        raise AssertionError(self.log)

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        code = self._process.wait(self._patience)
        self._reader.join(10)
        return code

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._reader.join(10)
        assert self._process.stderr is not None
        self._process.stderr.close()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, method: str, path: str, content: object = None, **headers: str) -> tuple[int, Any]:
        connection = self.connect()
        try:
            sent = {"Content-Type": "application/json"} | {
                name.replace("_", "-"): value for name, value in headers.items()
            }
            connection.request(method, path, None if content is None else json.dumps(content), sent)
            reply = connection.getresponse()
            body = reply.read()
            return reply.status, json.loads(body) if "json" in (reply.getheader("Content-Type") or "") else body
        finally:
            connection.close()
