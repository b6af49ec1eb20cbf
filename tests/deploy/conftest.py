import contextlib
import io
import shutil
import subprocess
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import pytest

from biogpt_onnx.cli.main import _parser
from makers.deployment import DEPLOY, Serve, Tool


@pytest.fixture(autouse=True)
def _in_the_checkout() -> None:
    if not DEPLOY.is_dir():
        pytest.skip("runs in the checkout only")


@pytest.fixture
def tool() -> Tool:
    def run(name: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        # Where Debian puts what only an administrator starts.
        program = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
        if program is None:
            pytest.skip(f"{name} is not installed")
        return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def serve() -> Serve:
    def parse(words: Sequence[str]) -> Namespace:
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            try:
                return _parser().parse_args(["serve", *words])
            except SystemExit:
                pytest.fail(f"biogpt-onnx serve {' '.join(words)}: {said.getvalue()}")

    return parse


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with the command, as an installation has it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    command = folder / "biogpt-onnx"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m biogpt_onnx "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return folder
