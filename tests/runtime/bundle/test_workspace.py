import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from biogpt_onnx.runtime.bundle import CONFIG_FILE, MODEL_FILE
from biogpt_onnx.runtime.bundle.workspace import open_workspace, unfinished_folders
from biogpt_onnx.runtime.bundle.writer import atomic_folder
from biogpt_onnx.runtime.errors import BundleError
from biogpt_onnx.runtime.system.files import rename

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills processes by signals")

# Writes a file into the workspace of the target that is named, says so, and waits to be killed.
_PROGRAM = """
import sys
from collections.abc import Callable
from pathlib import Path
from biogpt_onnx.runtime.bundle.workspace import open_workspace
target = Path(sys.argv[1])
with open_workspace(target) as workspace:
    (workspace.new / "half").write_text("x")
    if "move" in sys.argv:
        target.rename(workspace.old)
    print("ready", flush=True)
    sys.stdin.read()
"""


def started(target: Path, *arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(target), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize("exists", [False, True])
def test_what_a_killed_run_has_left_is_removed_by_the_next_one(tmp_path: Path, *, exists: bool) -> None:
    target = tmp_path / "bundle"
    if exists:
        target.mkdir()
    kill(started(target))
    assert len(unfinished_folders(target)) == 1
    with atomic_folder(target) as folder:
        (folder / MODEL_FILE).write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert [path.name for path in target.iterdir()] == [MODEL_FILE]


def test_the_folder_of_a_run_that_is_alive_stays(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    process = started(target)
    with atomic_folder(target) as folder:
        (folder / MODEL_FILE).write_text("x")
    (alive,) = unfinished_folders(target)
    assert (alive / "new" / "half").exists()
    kill(process)


def test_a_bundle_that_a_killed_run_had_moved_aside_is_put_back(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    target.mkdir()
    (target / MODEL_FILE).write_text("old")
    (target / CONFIG_FILE).write_text('{"model_type": "biogpt"}')
    kill(started(target, "move"))
    assert not target.exists()
    with open_workspace(target):
        assert (target / MODEL_FILE).read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_folders_that_only_resemble_those_of_killed_runs_stay(tmp_path: Path) -> None:
    for name in (".bundle.unfinished-notes", ".bundle2.unfinished-0123456789abcdef", ".bundle.0123456789abcdef"):
        (tmp_path / name).mkdir()
    with atomic_folder(tmp_path / "bundle"):
        pass
    assert len(list(tmp_path.iterdir())) == 4


def test_a_bundle_that_can_be_neither_replaced_nor_put_back_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows, a program that opens one of its files in between keeps the folder from being renamed."""
    target = tmp_path / "bundle"
    target.mkdir()
    (target / MODEL_FILE).write_text("old")
    (target / CONFIG_FILE).write_text('{"model_type": "biogpt"}')

    def refuse(*_: object) -> None:
        raise PermissionError(13, "a program has it open")

    monkeypatch.setattr("biogpt_onnx.runtime.bundle.writer.rename", first_of(rename, refuse))
    monkeypatch.setattr("biogpt_onnx.runtime.bundle.workspace.rename", refuse)
    with pytest.raises(BundleError, match="a program has it open"), atomic_folder(target, overwrite=True) as folder:
        (folder / MODEL_FILE).write_text("new")
    assert not target.exists()
    monkeypatch.undo()
    with open_workspace(target):
        assert (target / MODEL_FILE).read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def first_of(really: Callable[..., None], then: Callable[..., None]) -> Callable[..., None]:
    """A function that does the one the first time, and the other from then on."""
    functions = iter([really])

    def call(*arguments: object) -> None:
        next(functions, then)(*arguments)

    return call
