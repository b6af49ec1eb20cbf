"""The fixed requests on emulated processors without VNNI, AVX-512, AVX2 and AVX, which hospitals still run.

Some of them, as an emulator takes a hundred times as long; with `PROCESSORS=all` all of them, on more processors.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from makers import fixed_requests

EMULATOR = shutil.which("qemu-x86_64")
ROOT = Path(__file__).parents[2]
IS_WHOLE = os.environ.get("PROCESSORS") == "all"
CPUS = ["Nehalem", "Haswell", "SandyBridge", "EPYC-Milan"] if IS_WHOLE else ["Nehalem", "Haswell"]
# The largest difference of a token's log-probability, in nats. On Nehalem differences of 5e-6, 6e-7, 0.05 and 0.06 were
# found in a text of 22 tokens.
MOST = {"fp32": 1e-4, "int8": 1e-4, "int4": 0.2, "int8-weights": 0.2}
# Requests that may have other tokens: of 17 requests on Nehalem, 3 and 2 had.
MOST_OTHER = {"int4": 5, "int8-weights": 5} if IS_WHOLE else {"int4": 1, "int8-weights": 1}
PATIENCE = 3600 if IS_WHOLE else 600

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        EMULATOR is None or platform.machine() != "x86_64", reason="qemu-x86_64 (Debian's qemu-user) is not installed"
    ),
]


def answered(folder: Path, emulator: list[str]) -> dict[str, Any]:
    """What the bundles of a folder answer, by their names."""
    module = ["-m", "makers.fixed_requests", str(folder), "all" if IS_WHOLE else "few", *MOST]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests")))}
    command = [*emulator, sys.executable, *module]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 0, ended.stderr
    return {found["name"]: found for found in map(json.loads, ended.stdout.splitlines())}


@pytest.mark.parametrize("cpu", CPUS)
def test_an_old_processor_gives_the_same_answers(cpu: str, mini_by: Callable[[str], Path], tmp_path: Path) -> None:
    for recipe in MOST:
        (tmp_path / recipe).symlink_to(mini_by(recipe))
    here, there = answered(tmp_path, []), answered(tmp_path, [str(EMULATOR), "-cpu", cpu])
    for recipe, most in MOST.items():
        ours, theirs = here[recipe], there[recipe]
        assert len(ours["answers"]) == len(fixed_requests.requests_of("all" if IS_WHOLE else "few"))
        others = [name for name, answer in ours["answers"].items() if theirs["answers"][name] != answer]
        assert len(others) <= MOST_OTHER.get(recipe, 0), f"{recipe} on {cpu}: {others}"
        difference = np.abs(np.subtract(ours["scores"], theirs["scores"])).max()
        assert difference <= most, f"{recipe} on {cpu}: log-probabilities differ by {difference}"
