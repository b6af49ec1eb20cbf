"""A disk of a few pages, on which commands run out of space for real.

It is a tmpfs in a mount namespace of its own, which some systems let ordinary users make. `on_small_disk` starts this
module there, which mounts the disk and takes the steps.
"""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

PAGE = 4096
_FILLER = "filler"
_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
_SECONDS = 300


def on_small_disk(folder: Path, size: int, steps: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Takes steps on an empty disk, and returns what each that runs a command has found.

    A step is {"run": words} for a command, {"leave": bytes} to fill the disk but for so much, {"free": True} to take
    that back, or {"copy": [from, to]}. A command's finding is its exit code, what it said, and the sizes of the files
    on the disk afterwards.

    Args:
        folder: the disk's place, an empty folder.
        size: its size in bytes.
        steps: the steps.
    """
    if (
        shutil.which("unshare") is None
        or subprocess.run([*_NAMESPACE, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this system lets no user mount a disk of its own")
    tests = Path(__file__).parents[1]
    paths = [str(tests), str(tests.parent), os.environ.get("PYTHONPATH", "")]
    found = subprocess.run(
        [*_NAMESPACE, sys.executable, "-m", "makers.small_disk"],
        input=json.dumps({"folder": str(folder), "size": size, "steps": list(steps)}),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if found.returncode:
        raise RuntimeError(found.stderr)
    result: list[dict[str, Any]] = json.loads(found.stdout)
    return result


def main() -> None:
    """Takes the steps that standard input says."""
    plan = json.load(sys.stdin)
    folder = Path(plan["folder"])
    subprocess.run(
        [shutil.which("mount") or "mount", "-t", "tmpfs", "-o", f"size={plan['size']}", "tmpfs", str(folder)],
        check=True,
    )
    found = []
    for step in plan["steps"]:
        if "run" in step:
            found.append(_run(folder, step["run"]))
        elif "leave" in step:
            _fill(folder, step["leave"])
        elif "free" in step:
            (folder / _FILLER).unlink()
        else:
            _copy(*map(Path, step["copy"]))
    sys.stdout.write(json.dumps(found))


def _run(folder: Path, words: Sequence[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "biogpt_onnx", *words]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    files = {
        str(path.relative_to(folder)): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != _FILLER
    }
    return {"code": ended.returncode, "err": ended.stderr, "out": ended.stdout, "files": files}


def _fill(folder: Path, leave: int) -> None:
    with (folder / _FILLER).open("wb", buffering=0) as stream:
        size = 0
        try:
            while True:
                size += stream.write(b"x" * PAGE)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
        stream.truncate(max(0, size - leave))


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


if __name__ == "__main__":
    main()
