"""Windows' habits in a process under Linux, as far as they can be put on: for programs that are tested without it.

What `wear` changes, it changes for the whole process: no `fcntl`, `pwd`, `resource` and `grp`, no numbers of users and
sets of cores, no SIGHUP and groups of processes, no /proc, and a file system that neither renames nor removes what is
open or mapped, opens no folder and knows no owner. Locks are those of a `LockFileEx` that is made of Linux' own.
"""

import contextlib
import ctypes
import errno
import importlib
import importlib.util
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).parents[2]
MISSING_MODULES = ("fcntl", "pwd", "resource", "grp", "termios")
MISSING_FUNCTIONS = (
    *("geteuid", "getuid", "getegid", "getgid", "killpg", "setpgid", "sched_getaffinity", "sched_setaffinity"),
    *("O_NOFOLLOW", "O_DIRECTORY", "sysconf"),
)
_KIND = "biogpt_onnx.runtime.system.kind"
_LOCK_VIOLATION = 33

SITE = "import sys; sys.path[:0] = {path!r}; from makers.windows import wear; wear()"
"""A module `sitecustomize`, by which a process and all Pythons that it starts wear these habits."""


def environment(folder: Path) -> dict[str, str]:
    """Returns the environment of a process that wears Windows' habits, and whose streams have its encoding.

    Args:
        folder: empty folder for the module that Python imports first.
    """
    (folder / "sitecustomize.py").write_text(SITE.format(path=[str(ROOT / "tests"), str(ROOT)]), encoding="utf-8")
    return os.environ | {
        "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT / "tests"), *sys.path]),
        "PYTHONIOENCODING": "cp1252",
        "PYTHONUTF8": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LOCALAPPDATA": str(folder),
    }


def wear() -> None:
    """Gives this process Windows' habits; to be called before the package is imported."""
    flock = lock_function()
    # The library's own modules for POSIX need these.
    for name in ("asyncio", "multiprocessing", "subprocess", "tempfile", "tarfile", "pathlib", "webbrowser"):
        importlib.import_module(name)
    for name in MISSING_MODULES:
        sys.modules[name] = None  # type: ignore[assignment] # which is how an import is forbidden
    sys.modules["msvcrt"] = SimpleNamespace(get_osfhandle=lambda descriptor: descriptor)  # type: ignore[assignment]
    vars(ctypes)["WinDLL"] = lambda *_, **__: SimpleNamespace(LockFileEx=flock)
    vars(ctypes)["get_last_error"] = lambda: _LOCK_VIOLATION
    _refuse_open_files()
    _hide_proc()
    for name in MISSING_FUNCTIONS:
        delattr(os, name)
    del signal.SIGHUP
    # On Linux, this is the option with which an address is one program's alone and free at its end.
    vars(socket)["SO_EXCLUSIVEADDRUSE"] = socket.SO_REUSEADDR
    spec: Any = importlib.util.spec_from_file_location(_KIND, _file_of_kind())
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.NAME = module.WINDOWS
    sys.modules[_KIND] = module


def _file_of_kind() -> Path:
    """Returns the module that tells the systems apart, of the installed package or of the checkout."""
    package: Any = importlib.util.find_spec("biogpt_onnx")
    places = (Path(package.origin).parent, ROOT)
    return next(path for place in places if (path := place / "runtime" / "system" / "kind.py").is_file())


def lock_function() -> Callable[..., int]:
    """Returns a `LockFileEx` that is made of Linux' own locks."""
    fcntl: Any = importlib.import_module("fcntl")

    def lock_file_ex(handle: int, flags: int, _reserved: int, low: int, high: int, place: Any) -> int:
        assert (flags, low, high) == (3, 1, 0), "one byte, for itself alone, at once"
        assert place._obj.offset_high > 1_000_000, "no byte that anybody reads"
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        return 1

    return lock_file_ex


def open_paths() -> Iterator[str]:
    """Yields the files that this process has open or mapped."""
    for descriptor in _LISTDIR("/proc/self/fd"):
        with contextlib.suppress(OSError):
            yield _READLINK(f"/proc/self/fd/{descriptor}")
    with _OPEN("/proc/self/maps", encoding="utf-8") as lines:
        for line in lines:
            yield line.rstrip("\n").partition("/")[1] + line.rstrip("\n").partition("/")[2]


_LISTDIR, _READLINK, _OPEN = os.listdir, os.readlink, open


def _refuse_open_files() -> None:
    """Has the file system refuse to rename and remove what is open."""
    # Removing by descriptors of folders would go past the functions below.
    vars(shutil)["_use_fd_functions"] = False

    def guarded(function: Callable[..., Any], num_paths: int) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            for given in arguments[:num_paths]:
                path = os.path.abspath(os.fsdecode(given))  # noqa: PTH100 -- links stay
                if any(each == path or each.startswith(path + os.sep) for each in open_paths()):
                    raise PermissionError(errno.EACCES, "The process cannot access the file", str(given))
            return function(*arguments, **keywords)

        return call

    for name, num_paths in {"replace": 2, "rename": 2, "unlink": 1, "remove": 1, "rmdir": 1}.items():
        setattr(os, name, guarded(getattr(os, name), num_paths))
    really_open = os.open

    def open_no_folder(path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        if not isinstance(path, int) and Path(os.fsdecode(path)).is_dir() and flags & os.O_ACCMODE == os.O_RDONLY:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return really_open(path, flags, mode, **more)

    os.open = open_no_folder


def _hide_proc() -> None:
    """Has /proc and /sys hold nothing for this package's reads of text."""
    really_read = Path.read_text

    def read_text(path: Path, *arguments: Any, **keywords: Any) -> str:
        if str(path).startswith(("/proc/", "/sys/")):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        return really_read(path, *arguments, **keywords)

    Path.read_text = read_text  # type: ignore[method-assign, assignment] # for this process
