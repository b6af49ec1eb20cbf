"""Twins of a checkpoint that compute the same in float32, but have outliers in their activations."""

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.processes import CHECKOUT, checkout_environment

_PROGRAM = """
import sys
from pathlib import Path
from makers.outliers import write_outlier_checkpoint
source, target, factor, channels = sys.argv[1:]
write_outlier_checkpoint(Path(source), Path(target), float(factor), int(channels))
"""


def write_outlier_twin(source: Path, target: Path, factor: float, channels: int) -> Path:
    """Writes the twin of a Hugging Face folder and returns its folder; see `tests/makers/outliers.py`.

    The tests' modules are no package, so a process of its own imports them.

    Args:
        source: the checkpoint.
        target: the twin's folder, which must not exist.
        factor: by which channels are scaled.
        channels: how many channels of each layer's input.
    """
    command = [sys.executable, "-c", _PROGRAM, str(source), str(target), str(factor), str(channels)]
    subprocess.run(command, check=True, env={**os.environ, **checkout_environment(CHECKOUT / "tests")})
    return target
