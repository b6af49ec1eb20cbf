"""Copies of the checkout whose files are changed, and the process that runs tests in one of them."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from benchmarks.processes import CHECKOUT

# Imports take longer than most tests. Those of pytest and of its plugins are left to it, which rewrites them.
_PRELOADED = (
    "lxml.etree",
    "numpy",
    "onnx",
    "onnx_ir",
    "onnxruntime",
    "pyarrow.parquet",
    "sacremoses",
    "safetensors",
    "scipy.special",
    "torch",
    "transformers.generation.logits_process",
    "transformers.models.biogpt.tokenization_biogpt",
)


def checkout_files() -> list[str]:
    """Returns every file of the checkout that git knows or would add, relative to it and in order."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 -- the user's git
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
    )
    names = sorted(filter(None, os.fsdecode(listed.stdout).split("\0")))
    return [name for name in names if (CHECKOUT / name).is_symlink() or (CHECKOUT / name).exists()]


def checkout_digest() -> str:
    """Returns a sha256 over the names and contents of the checkout's files."""
    digest = hashlib.sha256()
    for name in checkout_files():
        path = CHECKOUT / name
        content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
        digest.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode(errors="surrogateescape"))
    return f"sha256:{digest.hexdigest()}"


class TestRun(NamedTuple):
    """How a run of tests ended.

    Attributes:
        code: pytest's exit code; None for one that took too long.
        said: the end of what it printed.
    """

    code: int | None
    said: str


class CheckoutCopy:
    """A copy of the checkout in which tests run. The checkout itself is never changed."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Copies every file that git knows or would add, and starts the process.

        Args:
            folder: to be made.
            environment: variables of the tests besides this process's own.
        """
        self.folder = folder / "checkout"
        self._scratch = folder / "scratch"
        self._changes = 0
        for name in checkout_files():
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, target, follow_symlinks=False)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.mutation.forking", *_PRELOADED],
            cwd=self.folder,
            env={**os.environ, **environment, "PYTHONPATH": str(self.folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()

    def run(self, arguments: Sequence[str], seconds: float) -> TestRun:
        """Runs tests with these words of pytest's command line, for so many seconds at most."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the process that runs tests has no pipes")
        words = ["-q", "--no-header", "-p", "no:cacheprovider", f"--basetemp={self._scratch}"]
        # A package that the process has imported may also be a plugin of pytest.
        words += ["-W", "ignore:Module already imported so cannot be rewritten", *arguments]
        self._process.stdin.write(json.dumps({"arguments": words, "seconds": seconds}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the process that runs tests ended with {self._process.wait()}")
        return TestRun(**json.loads(answer))

    @contextmanager
    def changed(self, file: str, source: str) -> Iterator[None]:
        """Has a file hold another source within the block."""
        path = self.folder / file
        before, dates = path.read_bytes(), path.stat()
        path.write_text(source, encoding="utf-8")
        # Python takes what it compiled before for that of a file of the same size and date, to the second.
        self._changes += 1
        os.utime(path, (dates.st_atime, dates.st_mtime + self._changes))
        try:
            yield
        finally:
            path.write_bytes(before)
            os.utime(path, (dates.st_atime, dates.st_mtime))
