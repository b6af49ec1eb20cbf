"""Python packages for another architecture, in the versions that are installed here.

What is pure Python is copied. Of the rest, pip downloads the wheels for ARM64.
"""

import re
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from makers.arm64.errors import UnavailableError

ROOTS = (
    *("numpy", "onnxruntime", "sacremoses"),
    *("onnx", "onnx-ir", "ml-dtypes", "safetensors", "huggingface-hub"),
    *("bioc", "lxml"),
    *("pytest", "hypothesis", "filelock", "packaging"),
)
"""Packages that the tests need, apart from those that they depend on."""

# The newest first. A wheel for an older C library runs with a newer one.
_PLATFORMS = (*(f"manylinux_2_{minor}_aarch64" for minor in range(36, 16, -1)), "manylinux2014_aarch64")
_SECONDS = 1800


def closure(roots: tuple[str, ...] = ROOTS) -> dict[str, Distribution]:
    """Returns installed distributions and all that they depend on, by their names.

    Raises:
        UnavailableError: one is not installed here.
    """
    found: dict[str, Distribution] = {}
    waiting = deque(roots)
    while waiting:
        name = canonicalize_name(waiting.popleft())
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError as error:
            raise UnavailableError(f"{name} is not installed here, so that its version is not known") from error
        waiting.extend(_needs(found[name]))
    return dict(sorted(found.items()))


def is_pure(installed: Distribution) -> bool:
    """Returns True if a distribution is the same on each architecture."""
    return "Root-Is-Purelib: true" in (installed.read_text("WHEEL") or "")


def install(found: dict[str, Distribution], folder: Path) -> None:
    """Copies and downloads distributions into a folder of packages.

    Raises:
        UnavailableError: pip finds no wheel.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _download([f"{name}=={each.version}" for name, each in found.items() if not is_pure(each)], folder)
    for each in found.values():
        if is_pure(each):
            _copy(each, folder)


def _needs(installed: Distribution) -> Iterator[str]:
    for line in installed.requires or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": "", "platform_machine": "aarch64"}):
            yield requirement.name


def _copy(installed: Distribution, folder: Path) -> None:
    # Compiled files are copied, too: they hold for this version of Python whatever the machine.
    for file in installed.files or []:
        if file.parts[0] != ".." and Path(str(file.locate())).is_file():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(str(file.locate()), folder / file)


def _download(requirements: list[str], folder: Path) -> None:
    platforms = [f"--platform={name}" for name in _PLATFORMS]
    version = f"--python-version={sys.version_info.major}.{sys.version_info.minor}"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--only-binary=:all:"]
    command += [*platforms, version, "--implementation=cp", "--target", str(folder), *requirements]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.CalledProcessError as error:
        errors = re.findall(r"^ERROR: (.*)$", error.stderr, flags=re.MULTILINE) or ["it says nothing"]
        raise UnavailableError(f"pip failed: {errors[-1]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"pip does not run here: {error}") from error
