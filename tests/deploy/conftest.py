import contextlib
import io
import shutil
import subprocess
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
