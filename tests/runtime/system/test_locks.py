import ctypes
import importlib
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from biogpt_onnx.runtime.system import kind
from biogpt_onnx.runtime.system.locks import FolderLock, lock, open_to_lock
from makers import windows as windows_habits

pytestmark = pytest.mark.skipif(os.name != "posix", reason="makes Windows' locks of POSIX ones")


@pytest.fixture
def windows_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows, with what its locks are made of."""
    library = SimpleNamespace(LockFileEx=windows_habits.lock_function())
    monkeypatch.setattr(kind, "NAME", kind.WINDOWS)
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(get_osfhandle=lambda descriptor: descriptor))
    monkeypatch.setattr(ctypes, "WinDLL", lambda *_, **__: library, raising=False)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: 33, raising=False)


@pytest.fixture(params=[kind.LINUX, kind.WINDOWS])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way to lock."""
    if request.param == kind.WINDOWS:
        request.getfixturevalue("windows_locks")
    else:
        monkeypatch.setattr(kind, "NAME", request.param)
    return str(request.param)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


@pytest.fixture
def first(system: str, path: Path) -> Iterator[int]:
    """A descriptor that holds the lock."""
    assert system
    descriptor = open_to_lock(path)
    assert lock(descriptor) is True
    yield descriptor
    with suppress(OSError):  # where the test has closed it
        os.close(descriptor)


def test_a_second_process_is_refused_until_the_first_one_ends(first: int, path: Path) -> None:
    second = open_to_lock(path)
    assert lock(second) is False
    os.close(first)
    assert lock(second) is True
    os.close(second)


def test_who_waits_gets_the_lock_once_it_is_free(first: int, path: Path) -> None:
    second, got = open_to_lock(path), []
    waiting = threading.Thread(target=lambda: got.append(lock(second, wait=True)), daemon=True)
    waiting.start()
    time.sleep(0.05)
    assert got == []
    os.close(first)
    waiting.join(10)
    assert got == [True]
    os.close(second)


def test_what_is_locked_can_still_be_read_and_written(first: int, path: Path) -> None:
    os.write(first, b"results")
    assert path.read_bytes() == b"results"


def test_a_link_is_not_opened(system: str, path: Path) -> None:
    assert system
    path.symlink_to(path.with_name("elsewhere"))
    with pytest.raises(OSError, match="symbolic links"):
        open_to_lock(path)


def test_a_folder_is_locked_for_one_and_removed_with_its_lock(system: str, tmp_path: Path) -> None:
    assert system
    folder = tmp_path / "folder"
    (folder / "within").mkdir(parents=True)
    held = FolderLock.take(folder)
    assert held is not None
    assert FolderLock.take(folder) is None
    held.remove_folder()
    assert not folder.exists()
    assert FolderLock.take(folder) is None


def test_a_released_folder_can_be_locked_again_and_a_link_to_one_cannot(system: str, tmp_path: Path) -> None:
    assert system
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    for _ in range(2):
        held = FolderLock.take(tmp_path / "folder")
        assert held is not None
        held.release()
    assert FolderLock.take(tmp_path / "link") is None


@pytest.mark.usefixtures("windows_locks")
def test_on_windows_the_lock_is_closed_before_its_folder_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is open cannot be removed there, so that its folder would stay."""
    folder = tmp_path / "folder"
    folder.mkdir()
    held = FolderLock.take(folder)
    assert held is not None
    assert any(path.startswith(str(folder)) for path in windows_habits.open_paths())
    removed = []

    def rmtree(gone: Path, **_: object) -> None:
        removed.append([path for path in windows_habits.open_paths() if path.startswith(str(gone))])

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    held.remove_folder()
    assert removed == [[]]


def test_without_a_module_for_locks_there_are_none(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    descriptor = open_to_lock(path)
    for name in ("fcntl", "msvcrt"):
        monkeypatch.setitem(sys.modules, name, None)
    assert lock(descriptor) is None
    monkeypatch.setattr(kind, "NAME", kind.WINDOWS)
    assert lock(descriptor, wait=True) is None
    os.close(descriptor)


def test_a_file_system_without_locks_has_none(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(importlib.import_module("fcntl"), "flock", refuse)
    descriptor = open_to_lock(path)
    assert lock(descriptor) is None
    os.close(descriptor)


@pytest.mark.usefixtures("windows_locks")
def test_another_refusal_of_windows_is_no_lock_of_anybody(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing = SimpleNamespace(LockFileEx=type("Refusing", (), {"__call__": lambda *_: 0})())
    monkeypatch.setattr(ctypes, "WinDLL", lambda *_, **__: refusing, raising=False)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: 50, raising=False)
    descriptor = open_to_lock(path)
    assert lock(descriptor, wait=True) is None
    os.close(descriptor)
