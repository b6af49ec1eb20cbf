"""Processes in real control groups with a limit of memory; skipped where none can be made."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx.runtime.bundle import MANIFEST_FILE, WEIGHTS_FILE, read_manifest
from makers.contenders import Scripts

pytestmark = pytest.mark.control_group

MIB = 2**20
GENERATE = """
import sys, biogpt_onnx
model = biogpt_onnx.load(sys.argv[1], device="cpu", threads=1, warm_up=False)
print(len(model.generate("Aspirin inhibits", max_new_tokens=8, eos_token_id=None).token_ids))
"""

SHARE = """
import sys, biogpt_onnx
from concurrent.futures import ThreadPoolExecutor
from biogpt_onnx import MemoryLimitError
from biogpt_onnx.runtime.system.room import read_room

model = biogpt_onnx.load(sys.argv[1], device="cpu", threads=1, warm_up=False)
prompts = [[2, *range(10 + number, 40 + number)] for number in range(5)]

def ask(asked, prompt):
    try:
        return asked.generate_ids([prompt], max_new_tokens=400, min_new_tokens=400)[0].sequences
    except MemoryLimitError:
        return None

alone = [ask(model, prompt) for prompt in prompts]
with model.concurrent(max_rows=5) as shared, ThreadPoolExecutor(5) as pool:
    # Each takes 3.4 MiB in the end, and the last 8 MiB are kept free.
    ballast = b"1" * (read_room().with_swap - 17 * 2**20)
    found = list(pool.map(lambda prompt: ask(shared, prompt), prompts))
    again = ask(shared, prompts[0])
answered = [answer for answer in found if answer is not None]
print(0 < len(answered) < 5, all(answer in (None, one) for answer, one in zip(found, alone)), again == alone[0])
"""

Limited = Callable[[int, Sequence[str]], tuple[subprocess.CompletedProcess[str], int]]


@pytest.fixture
def limited(benchmarks: Scripts) -> Limited:
    """Runs a command with a limit of memory in MiB; returns how it ended, and how many processes were killed."""
    control_group: Any = benchmarks("control_group")

    def run(limit: int, command: Sequence[str]) -> tuple[subprocess.CompletedProcess[str], int]:
        try:
            with control_group.limited_memory(limit * MIB) as group:
                ended = subprocess.run(group.command(command), check=False, capture_output=True, text=True)
                return ended, group.kills
        except control_group.NoControlGroupError as error:
            pytest.skip(str(error))

    return run


def test_the_limit_is_one_that_kills(limited: Limited) -> None:
    ended, kills = limited(64, [sys.executable, "-c", "b'1' * 100_000_000"])
    assert (ended.returncode != 0, kills) == (True, 1)


def test_a_process_knows_the_limit_of_its_group(limited: Limited) -> None:
    program = "from biogpt_onnx.runtime.system.room import read_room; room = read_room(); print(room.free, room.bound)"
    ended, _ = limited(200, [sys.executable, "-c", program])
    free, _, bound = ended.stdout.strip().partition(" ")
    assert bound == "the control group's limit of 200 MiB"
    assert 100 * MIB < int(free) < 200 * MIB


def test_a_small_bundle_works_in_a_small_container(limited: Limited, mini_bundle: Path) -> None:
    ended, kills = limited(256, [sys.executable, "-c", GENERATE, str(mini_bundle)])
    assert (ended.stdout, kills) == ("8\n", 0), ended.stderr


def test_a_bundle_that_does_not_fit_is_an_error_and_nobody_is_killed(
    limited: Limited, mini_bundle: Path, tmp_path: Path
) -> None:
    large = with_weights_of(300 * MIB, mini_bundle, tmp_path / "large")
    ended, kills = limited(200, [sys.executable, "-m", "biogpt_onnx", "generate", "--prepack", str(large), "Aspirin"])
    assert (ended.returncode, kills) == (2, 0)
    assert ended.stderr.startswith(f"error: loading {large} needs about ")
    assert "left of the control group's limit of 200 MiB: " in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.long
def test_where_the_memory_ends_some_who_share_it_are_refused_and_the_others_answered(
    limited: Limited, mini_bundle: Path
) -> None:
    ended, kills = limited(256, [sys.executable, "-c", SHARE, str(mini_bundle)])
    assert (ended.stdout, kills) == ("True True True\n", 0), ended.stderr


def with_weights_of(size: int, bundle: Path, target: Path) -> Path:
    """Copies a bundle, whose file of weights is made so large; what is added takes no disk space."""
    shutil.copytree(bundle, target)
    with (target / WEIGHTS_FILE).open("r+b") as file:
        file.truncate(size)
    manifest = read_manifest(bundle)
    files = {**manifest.files, WEIGHTS_FILE: replace(manifest.files[WEIGHTS_FILE], size=size)}
    (target / MANIFEST_FILE).write_text(replace(manifest, files=files).to_json(), encoding="utf-8")
    return target
