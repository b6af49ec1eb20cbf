"""A quantization that cannot go on leaves nothing behind, and says why in one line."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

RECIPES = ("int8", "int8-dynamic")
# Where files cannot grow beyond a part of the weights, as on a full disk.
WITH_SMALL_FILES = ("sh", "-c", 'ulimit -f 1000; exec "$@"', "sh")
# What a shell starts in the background ignores interrupts, and so would all that the tests start.
HEEDING_INTERRUPTS = (
    sys.executable,
    "-c",
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])",
)


def start(source: Path, target: Path, recipe: str, *before: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "biogpt_onnx", "quantize", str(source), "-o", str(target), "--recipe", recipe]
    return subprocess.Popen([*before, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_file_that_cannot_be_written_whole_is_one_line_and_leaves_nothing(
    mini_bundle: Path, tmp_path: Path, recipe: str
) -> None:
    process = start(mini_bundle, tmp_path / "small", recipe, *WITH_SMALL_FILES)
    _, errors = process.communicate()
    assert process.returncode == 2
    assert errors.startswith("error: ")
    assert len(errors.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_quantization_leaves_nothing(
    mini_bundle: Path, tmp_path: Path, signal_number: signal.Signals
) -> None:
    process = start(mini_bundle, tmp_path / "small", "int4", *HEEDING_INTERRUPTS)
    while process.poll() is None and not list(tmp_path.glob(".small.*")):
        time.sleep(0.005)
    process.send_signal(signal_number)
    _, errors = process.communicate()
    assert process.returncode == 128 + signal_number
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []
