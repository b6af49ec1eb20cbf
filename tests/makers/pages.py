"""Servers in processes of their own, and visits to their page by a browser."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

NO_PLAYWRIGHT = "playwright is not installed: pip install --group browser"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@dataclass
class Serving:
    """A running server: the address of its page, and its process."""

    url: str
    process: subprocess.Popen[str]

    def end(self) -> None:
        """Ends the server at once."""
        self.process.kill()
        self.process.wait()


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
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if found := re.search(r"is served at (http://\S+)", line):
                break
        else:
            raise AssertionError(f"the server has not started: {''.join(lines)}")
        try:
            yield Serving(f"{found[1]}/", process)
        finally:
            process.kill()
