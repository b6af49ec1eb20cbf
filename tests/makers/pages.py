"""Servers in processes of their own, and visits to their page by a browser."""

import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NO_PLAYWRIGHT = "playwright is not installed: pip install --group browser"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

START_SECONDS = 120
WORK_SECONDS, REST_SECONDS = 0.004, 0.04


@dataclass
class Serving:
    """A running server: the address of its page, its process, and the file with its log."""

    url: str
    process: subprocess.Popen[bytes]
    log_file: BinaryIO

    def end(self) -> None:
        """Ends the server at once."""
        self.process.kill()
        self.process.wait()

    def log(self) -> str:
        """Returns what the server has logged."""
        return _read(self.log_file)

    @contextmanager
    def slowed(self) -> Iterator[None]:
        """Lets the server work for a tenth of the time, so that a text takes long enough to be stopped."""
        over = threading.Event()

        def interrupt() -> None:
            while not over.is_set():
                self.process.send_signal(signal.SIGSTOP)
                time.sleep(REST_SECONDS)
                self.process.send_signal(signal.SIGCONT)
                time.sleep(WORK_SECONDS)

        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@dataclass
class Visit:
    """A page in a browser, the addresses that it has asked for, and what the browser has said about it."""

    page: "Page"
    requests: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


@contextmanager
def serving(bundle: Path, *options: str) -> Iterator[Serving]:
    """Starts a server at any free port and ends it."""
    command = [sys.executable, "-m", "biogpt_onnx", "serve", str(bundle), "--port=0", "--threads=1", *options]
    # No pipe, which would fill up while nobody reads it; and what is written goes to the end, wherever one reads.
    with tempfile.TemporaryFile("a+b") as log_file, subprocess.Popen(command, stderr=log_file) as process:
        try:
            yield Serving(_address(process, log_file), process, log_file)
        finally:
            process.kill()


def _address(process: subprocess.Popen[bytes], log_file: BinaryIO) -> str:
    """Waits until a server answers; returns where."""
    deadline = time.monotonic() + START_SECONDS
    while not (found := re.search(r"is served at (http://\S+)", _read(log_file))):
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"the server has not started: {_read(log_file)}")
        time.sleep(0.05)
    return f"{found[1]}/"


def _read(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode()


@contextmanager
def running_chromium(patience: float) -> "Iterator[Browser]":
    """Runs a headless Chromium; skips the test where there is none.

    Args:
        patience: milliseconds after which something that should appear is missed.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT)
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    playwright.expect.set_options(timeout=patience)
    with playwright.sync_playwright() as running:
        found = running.chromium.launch(executable_path=CHROMIUM)
        yield found
        found.close()
