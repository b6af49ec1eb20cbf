"""The folder with an ARM64 system, Python packages for it, and the emulator that runs them."""

import compileall
import contextlib
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from makers.arm64.debian import Apt, Source, host_architecture, unpack
from makers.arm64.errors import UnavailableError
from makers.arm64.packages import closure, install

FOLDER = Path(__file__).parents[3] / "build" / "arm64"
"""Folder of what is fetched, which git ignores and `make clean` removes."""

PROCESSORS = ("cortex-a72", "cortex-a76")
"""Emulated processors: without and with instructions for 8-bit dot products, as a Raspberry Pi 4 and 5 have them."""

# Debian's release with each version of Python. The emulator is of one that runs ONNX Runtime: version 7 crashes.
_RELEASES = {(3, 11): "bookworm", (3, 13): "trixie"}
_EMULATOR_RELEASE = "trixie"

_EMULATOR = "usr/bin/qemu-aarch64"

_WRAPPER = """#!/bin/sh
# Runs Python for ARM64. Programs that it starts as sys.executable come here again.
exec "{emulator}" -cpu "${{QEMU_CPU:-{processor}}}" -L "{system}" -0 "$0" "{system}/usr/bin/{python}" "$@"
"""
_SECONDS = 3600


@dataclass(frozen=True)
class Emulator:
    """An environment of Python packages, whose `bin/python` runs for ARM64 on this machine.

    Attributes:
        folder: folder of the environment.
    """

    folder: Path

    @property
    def python(self) -> Path:
        """Program to start: Python for ARM64."""
        return self.folder / "environment" / "bin" / "python"

    def run(
        self, processor: str, arguments: Sequence[str], *, environment: Mapping[str, str], log: Path
    ) -> subprocess.Popen[bytes]:
        """Starts Python on an emulated processor.

        Args:
            processor: the emulator's name of the processor.
            arguments: arguments of Python.
            environment: environment variables.
            log: file for what it writes.
        """
        with log.open("wb") as file:
            return subprocess.Popen(
                [str(self.python), *arguments],
                env={**environment, "QEMU_CPU": processor},
                stdout=file,
                stderr=subprocess.STDOUT,
            )


def emulator(folder: Path = FOLDER) -> Emulator:
    """Returns the emulator; fetches what it consists of if the folder has nothing of these versions.

    Args:
        folder: where everything is kept.

    Raises:
        UnavailableError: it cannot be had here.
    """
    if sys.platform != "linux" or platform.machine() == "aarch64":
        raise UnavailableError("this is no Linux of another architecture than ARM64")
    version = sys.version_info[:2]
    if version not in _RELEASES:
        known = " and ".join(f"{major}.{minor}" for major, minor in _RELEASES)
        raise UnavailableError(f"of Python, Debian has {known}, and this is {version[0]}.{version[1]}")
    wanted = closure()
    record = {
        "system": _RELEASES[version],
        "emulator": _EMULATOR_RELEASE,
        "packages": {name: each.version for name, each in wanted.items()},
    }
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if _recorded(folder) != record:
            for name in ("apt", "system", "emulator", "environment"):
                shutil.rmtree(folder / name, ignore_errors=True)
            _fetch_system(folder, _RELEASES[version])
            install(wanted, _packages_folder(folder))
            _write_wrapper(folder)
            _compile(folder)
            shutil.rmtree(folder / "apt")
            (folder / "record.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return Emulator(folder)


def _recorded(folder: Path) -> object:
    with contextlib.suppress(OSError, ValueError):
        found: object = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        return found
    return None


def _python_name() -> str:
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def _packages_folder(folder: Path) -> Path:
    return folder / "environment" / "lib" / _python_name() / "site-packages"


def _fetch_system(folder: Path, release: str) -> None:
    host = host_architecture()
    apt = Apt(folder / "apt", [Source(release, "arm64"), Source(_EMULATOR_RELEASE, host)])
    for archive in apt.fetch(f"{_python_name()}:arm64", "libstdc++6:arm64", "libgcc-s1:arm64"):
        unpack(archive, folder / "system")
    # Of the emulators of all architectures.
    unpack(apt.fetch_alone(f"qemu-user:{host}"), folder / "emulator", keep=_EMULATOR)


def _write_wrapper(folder: Path) -> None:
    """Makes the environment: Python takes a `pyvenv.cfg` beside it as the mark of one."""
    python = folder / "environment" / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    text = _WRAPPER.format(
        emulator=folder / "emulator" / _EMULATOR,
        processor=PROCESSORS[0],
        system=folder / "system",
        python=_python_name(),
    )
    python.write_text(text, encoding="utf-8")
    python.chmod(0o755)
    home = folder / "system" / "usr" / "bin"
    (folder / "environment" / "pyvenv.cfg").write_text(f"home = {home}\n", encoding="utf-8")
    try:
        subprocess.run([str(python), "-c", "import onnxruntime"], check=True, capture_output=True, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        raise UnavailableError(f"the emulator does not run ONNX Runtime here: {error}") from error


def _compile(folder: Path) -> None:
    # What Python compiles does not depend on the machine, and takes ten times as long in the emulator.
    for name in ("system/usr/lib", "environment/lib"):
        compileall.compile_dir(folder / name, quiet=2, workers=0)
