"""Commands in a network of their own, which is loopback alone, with a record of all that they ask of it."""

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

_NAMESPACE = ("unshare", "--user", "--map-root-user", "--net", "--")
_WITH_LOOPBACK = ("sh", "-c", 'ip link set lo up && exec "$@"', "sh")
_TRACE = ("strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=network")
_CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)$")
_PARTS = re.compile(r"<\.\.\. (\w+) resumed>")
_SECONDS = 300


def network_calls(path: Path) -> list[tuple[str, str]]:
    """Returns the system calls of a record, each with its arguments as text; copies of files are left out."""
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if call := _CALL.match(line):
            # Python copies files by it too; into a socket nothing comes that was not opened before.
            found += [] if call[1] == "sendfile" else [(call[1], call[2])]
        elif not _PARTS.search(line) and "+++" not in line and "---" not in line:
            raise ValueError(f"{line!r} is no line of strace that is known")
    return found


def asks_this_machine(call: str, arguments: str) -> bool:
    """Returns True for a call by which a library asks about this machine, and which sends nothing.

    The C library asks a service for the name of a user; urllib3, which transformers 4 imports, tries whether an address
    of version 6 can be had. A socket for that alone is no connection: what used it would be seen.
    """
    user = call == "socket" and arguments.startswith("AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK")
    user = user or (call == "connect" and 'sun_path="/var/run/nscd/socket"' in arguments)
    version = call == "socket" and arguments.startswith("AF_INET6, SOCK_STREAM")
    version = version or (call == "bind" and "sin6_port=htons(0)" in arguments and 'AF_INET6, "::1"' in arguments)
    return user or version


def run_apart(words: Sequence[str | Path]) -> "subprocess.CompletedProcess[str]":
    """Runs a program where there is no network but loopback; skips the test where the system does not let users."""
    for tool in ("unshare", "ip", "strace"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    if subprocess.run([*_NAMESPACE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets no user make a network of its own")
    return subprocess.run(
        [*_NAMESPACE, *_WITH_LOOPBACK, *map(str, words)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )


def traced(record: Path) -> list[str]:
    """Returns the words that put before a program have its calls recorded, and those of all processes it starts."""
    return [*_TRACE, "-o", str(record)]


def command(*words: str | Path) -> list[str]:
    """Returns the words of a command of the package."""
    return [sys.executable, "-m", "biogpt_onnx", *map(str, words)]
