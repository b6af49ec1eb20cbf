import errno
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from biogpt_onnx.runtime.system.files import (
    flush,
    flush_folder,
    reason_of,
    refuses_hard_links,
    remove_file,
    rename,
    replace_file,
    scratch_folder,
)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A new file, and the one that it is to replace."""
    new, old = tmp_path / "new", tmp_path / "old"
    new.write_text("new")
    old.write_text("old")
    return new, old


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of files that a program has open, which the system refuses to rename and remove, as Windows does."""
    opened: set[str] = set()

    def guarded(really: Callable[..., None]) -> Callable[..., None]:
        def call(*paths: str | Path, **more: Any) -> None:
            for path in paths:
                if Path(path).name in opened:
                    raise PermissionError(errno.EACCES, "Access is denied", str(path))
            really(*paths, **more)

        return call

    for name in ("replace", "rename", "unlink"):
        monkeypatch.setattr(os, name, guarded(getattr(os, name)))
    return opened


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, none of which takes any time."""
    made: list[float] = []
    monkeypatch.setattr(time, "sleep", made.append)
    return made


@pytest.mark.usefixtures("windows")
def test_a_file_that_is_read_for_a_moment_is_replaced_after_it(
    pair: tuple[Path, Path], readers: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    readers.add("old")
    waited: list[float] = []

    def close_it(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            readers.clear()

    monkeypatch.setattr(time, "sleep", close_it)
    replace_file(*pair)
    assert pair[1].read_text() == "new"
    assert len(waited) == 3


@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize("action", [replace_file, lambda new, _: rename(new, new.with_name("x"))])
def test_what_a_program_keeps_open_stays_and_the_error_says_why(
    action: Callable[[Path, Path], None], pair: tuple[Path, Path], readers: set[str], pauses: list[float]
) -> None:
    readers.update({"old", "new"})
    with pytest.raises(PermissionError) as caught:
        action(*pair)
    assert "a program has it open" in str(caught.value.strerror)
    assert caught.value.filename == str(pair[0])
    assert [path.read_text() for path in pair] == ["new", "old"]
    assert 1 < sum(pauses) < 5


@pytest.mark.usefixtures("windows")
def test_an_open_file_is_not_removed_and_one_that_is_gone_is_no_fault(
    pair: tuple[Path, Path], readers: set[str], pauses: list[float]
) -> None:
    readers.add("old")
    with pytest.raises(PermissionError):
        remove_file(pair[1])
    readers.clear()
    remove_file(pair[1])
    remove_file(pair[1])
    assert pauses
    assert not pair[1].exists()


def test_elsewhere_a_missing_permission_is_told_at_once(
    pair: tuple[Path, Path], readers: set[str], pauses: list[float]
) -> None:
    readers.add("old")
    with pytest.raises(PermissionError, match="Access is denied"):
        replace_file(*pair)
    assert pauses == []


@pytest.mark.usefixtures("windows")
def test_other_errors_are_not_tried_again(tmp_path: Path, pauses: list[float]) -> None:
    with pytest.raises(FileNotFoundError):
        rename(tmp_path / "none", tmp_path / "x")
    assert pauses == []


def test_a_scratch_folder_whose_file_cannot_be_removed_is_no_error(tmp_path: Path, readers: set[str]) -> None:
    with scratch_folder("search-", tmp_path) as folder:
        (folder / "pool.data").write_text("x")
        readers.add("pool.data")
    readers.clear()
    with scratch_folder("search-", tmp_path) as second:
        (second / "pool.data").write_text("x")
    assert not second.exists()


def test_the_error_of_too_long_a_path_says_so_on_windows_alone(request: pytest.FixtureRequest) -> None:
    error = FileNotFoundError(errno.ENOENT, "No such file", "x" * 300)
    assert reason_of(error) == "No such file"
    request.getfixturevalue("windows")
    assert "characters, of which Windows takes 259" in reason_of(error)
    assert reason_of(FileNotFoundError(errno.ENOENT, "No such file", "x")) == "No such file"
    assert reason_of(OSError("without a number")) == "without a number"


def test_a_file_system_without_hard_links_is_known_by_each_systems_error() -> None:
    of_windows = OSError(errno.EINVAL, "Incorrect function")
    assert not refuses_hard_links(of_windows)
    of_windows.winerror = 1  # type: ignore[attr-defined] # which Python sets on Windows alone
    assert refuses_hard_links(of_windows)
    assert refuses_hard_links(OSError(errno.EPERM, "Operation not permitted"))
    assert not refuses_hard_links(OSError(errno.ENOSPC, "No space left on device"))


@pytest.mark.usefixtures("macos")
def test_on_macos_the_disks_own_memory_is_flushed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setitem(
        sys.modules, "fcntl", SimpleNamespace(F_FULLFSYNC=51, fcntl=lambda *arguments: asked.append(arguments[1]))
    )
    (tmp_path / "file").write_text("x")
    flush_folder(tmp_path)
    assert asked == [51]


@pytest.mark.usefixtures("macos")
def test_a_disk_that_knows_no_such_flush_gets_the_usual_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOTTY, "Inappropriate ioctl")

    monkeypatch.setitem(sys.modules, "fcntl", SimpleNamespace(F_FULLFSYNC=51, fcntl=refuse))
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    with (tmp_path / "file").open("wb") as file:
        flush(file.fileno())
        assert flushed == [file.fileno()]
