"""Contenders' processes, pinned to cores and halted while others are measured."""

import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any, Self

from biogpt_onnx.runtime.errors import BioGptError
from biogpt_onnx.runtime.system.cores import kept_to_cores
from biogpt_onnx.runtime.system.processes import halt_group, kill_group, own_group, resume_group
from biogpt_onnx.runtime.system.streams import is_closed_by_reader

_LOG_BYTES = 2000
# A model may be compiled before its first answer, which should not take longer than this.
_PATIENCE_SECONDS = 1200.0


# An installed package has its modules compiled. A checkout where Python may not keep them would compile at each start.
_KEEPS_BYTECODE = {"PYTHONDONTWRITEBYTECODE": ""}


class ContenderError(BioGptError, RuntimeError):
    """A contender cannot run, or failed to serve a request."""


class PinnedProcess:
    """A process that answers each line of JSON by a line of JSON.

    It is a process group of its own, so that it can be halted with all processes that it starts, and so that the system
    ends it should this process vanish.

    Args:
        command: program and arguments.
        cores: cores that it may use; on Linux alone.
        log: file for its standard error.
        environment: environment variables that it gets in addition.
        patience: seconds that it may take for an answer.

    Attributes:
        hello: its first line.
        started: the value of `perf_counter` at its start.
        start_seconds: seconds from its start to its first line.

    Raises:
        ContenderError: it cannot be started, or its first line is an error.
    """

    def __init__(
        self,
        command: Sequence[str],
        cores: Sequence[int],
        log: Path,
        environment: Mapping[str, str] | None = None,
        *,
        patience: float = _PATIENCE_SECONDS,
    ) -> None:
        self._log_path, self._patience, self._is_late = log, patience, False
        self.started = perf_counter()
        with log.open("wb") as errors, kept_to_cores(cores):
            try:
                self._process = subprocess.Popen(  # noqa: S603 -- the contender's own command
                    list(command),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    encoding="utf-8",
                    env={**os.environ, **_KEEPS_BYTECODE, **(environment or {})},
                    **own_group(),
                )
            except OSError as error:
                raise ContenderError(f"{command[0]} cannot be started ({error.strerror})") from error
        try:
            self.hello = self._answer()
        except BaseException:
            self.close()
            raise
        self.start_seconds = perf_counter() - self.started

    @property
    def process_id(self) -> int:
        """Process id."""
        return self._process.pid

    def ask(self, request: Mapping[str, Any], *, patience: float | None = None) -> dict[str, Any]:
        """Sends a request and returns the answer, see `protocol`; the answer may be `unsupported`.

        Args:
            request: a JSON object.
            patience: seconds that the answer may take; by default those of the process.

        Raises:
            ContenderError: the answer is an error or no JSON object, it took too long, or the process has ended.
        """
        try:
            if self._process.stdin is not None:
                self._process.stdin.write(json.dumps(request) + "\n")
                self._process.stdin.flush()
        except OSError as error:
            if not is_closed_by_reader(error, self._process.stdin):
                raise
            raise ContenderError(self._how_it_ended(self._patience)) from error
        return self._answer(patience)

    def settle(self) -> None:
        """Waits until nothing runs any more that its loading began, where its first line says that there may be."""
        if self.hello.get("settles"):
            self.ask({"settle": {}})

    def halt(self) -> None:
        """Suspends it: its idle threads would otherwise spin while others are measured."""
        if self._process.poll() is None:
            halt_group(self._process.pid)

    def resume(self) -> None:
        """Lets it run again after `halt`."""
        if self._process.poll() is None:
            resume_group(self._process.pid)

    def close(self) -> None:
        """Ends it and all processes that it started."""
        self._kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                # A request that was not written yet has no reader.
                with contextlib.suppress(OSError):
                    pipe.close()

    def __enter__(self) -> Self:
        """Returns the process itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends it and all processes that it started."""
        self.close()

    def _kill(self) -> None:
        if self._process.poll() is None:
            kill_group(self._process.pid)
        self._process.kill()

    def _answer(self, patience: float | None = None) -> dict[str, Any]:
        # A library that hangs must not take the whole run with it.
        seconds = self._patience if patience is None else max(0.0, patience)
        alarm = threading.Timer(seconds, self._end_late)
        alarm.start()
        try:
            line = self._process.stdout.readline() if self._process.stdout else ""
        finally:
            alarm.cancel()
        if not line:
            raise ContenderError(self._how_it_ended(seconds))
        try:
            answer = json.loads(line)
        except json.JSONDecodeError as error:
            raise ContenderError(f"it said {line.strip()[:80]!r}, which is no JSON") from error
        if not isinstance(answer, dict):
            raise ContenderError(f"it said {line.strip()[:80]!r}, which is no JSON object")
        if "error" in answer:
            raise ContenderError(str(answer["error"]))
        return answer

    def _end_late(self) -> None:
        self._is_late = True
        self._kill()

    def _how_it_ended(self, seconds: float) -> str:
        code = self._process.wait()
        if self._is_late:
            return f"it did not answer within {seconds:g} seconds"
        lines = self._log_path.read_bytes()[-_LOG_BYTES:].decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"it ended with {code}" + (f" ({last})" if last else "")
