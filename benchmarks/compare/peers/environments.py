"""Makes the peers' environments, one for each file of `requirements/`: `.venv-peers/<package>`.

Run as `python -m benchmarks.compare.peers.environments [PACKAGE ...]`, or by `make bench-peers`. What is up to date is
left alone. A package that cannot be installed leaves a file `failed` with the reason, and the others are made all the
same; the next run tries it again.
"""

import argparse
import os
import platform
import shlex
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

from benchmarks.compare.peers.catalogue import ENVIRONMENTS, FAILED, INSTALLED, REQUIREMENTS, ROOT

_CONSTRAINTS = ROOT / "constraints.txt"

# optimum-intel asks for it, needs it for pictures alone, and cannot be imported where it was built for another torch.
_UNWANTED = ("torchvision",)

_NO_AMX = "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"
_X86 = frozenset({"AMD64", "x86_64"})


def make(
    package: str,
    requirements_folder: Path | None = None,
    environments: Path | None = None,
    build: Callable[[Path, Path], str | None] | None = None,
) -> bool:
    """Makes one environment unless it is there and as new as its requirements; returns false if that fails.

    Args:
        package: name of the environment, and of its file of requirements.
        requirements_folder: where that file lies; `REQUIREMENTS` by default.
        environments: where the environment belongs; `ENVIRONMENTS` by default.
        build: what is made in the environment besides, given its folder and the file of requirements; returns None, or
            in one line why it failed.
    """
    folder = (environments or ENVIRONMENTS) / package
    requirements = (requirements_folder or REQUIREMENTS) / f"{package}.txt"
    if _up_to_date(folder / INSTALLED, requirements):
        return True
    print(f"installing {package} into {folder}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    reason = _install(folder, requirements)
    if reason is None and build is not None:
        reason = build(folder, requirements)
    mark = INSTALLED if reason is None else FAILED
    (folder / mark).write_text("" if reason is None else f"{reason}\n", encoding="utf-8")
    if reason is not None:
        print(f"{package} cannot be installed: {reason}", file=sys.stderr)
    return reason is None


def llama_cpp_options(machine: str | None = None) -> list[str]:
    """Returns the options of CMake with which llama.cpp is compiled for this machine's processor.

    Args:
        machine: kind of processor, as `platform.machine` names it; by default this machine's.
    """
    if (machine or platform.machine()) not in _X86:
        return []
    # Compiled with AMX, its first pass over BioGPT ends in a segmentation fault; all else of the processor is used.
    return [f"-DCMAKE_C_FLAGS={_NO_AMX}", f"-DCMAKE_CXX_FLAGS={_NO_AMX}"]


def _build_settings() -> dict[str, str]:
    """Returns the environment variables with which llama-cpp-python is built."""
    # Without what reads pictures and sound, which takes a third of the time.
    return {"CMAKE_ARGS": shlex.join(["-DLLAVA_BUILD=OFF", *llama_cpp_options()])}


def _up_to_date(mark: Path, requirements: Path) -> bool:
    newest = max(requirements.stat().st_mtime, _CONSTRAINTS.stat().st_mtime)
    return mark.is_file() and mark.stat().st_mtime >= newest


def _install(folder: Path, requirements: Path) -> str | None:
    """Installs and returns None, or the reason in one line."""
    folder.mkdir(parents=True)
    try:
        venv.create(folder, with_pip=True, symlinks=True)
    except subprocess.CalledProcessError as error:
        return f"python -m venv failed with {error.returncode}: is the module ensurepip installed?"
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    install = [*pip, "install", "--quiet", "-c", str(_CONSTRAINTS), "-r", str(requirements)]
    remove = [*pip, "uninstall", "--quiet", "--yes", *_UNWANTED]
    for command in (install, remove):
        result = subprocess.run(
            command, env=_build_settings() | os.environ, capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            return reason_of(result.stderr, result.returncode)
    return None


def reason_of(output: str, code: int) -> str:
    """Returns the line of pip's or CMake's output that says what was wrong, but for lines that only point to it."""
    lines = [line.strip() for line in output.splitlines()]
    errors = [line for line in lines if line.lower().startswith("error:")]
    fatal = [line for line in lines if "CMake Error" in line or "fatal error" in line]
    return next(iter([*fatal, *errors, *lines[-1:]]), f"pip ended with {code}")


def main() -> None:
    """Makes the environments of the command line, all without one."""
    known = sorted(path.stem for path in REQUIREMENTS.glob("*.txt"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help=f"of {', '.join(known)}; default: all")
    packages = parser.parse_args().packages or known
    unknown = sorted(set(packages) - set(known))
    if unknown:
        parser.error(f"unknown package {unknown[0]}: choose from {', '.join(known)}")
    made = [make(package) for package in packages]
    print(f"{sum(made)} of {len(made)} environments are there")


if __name__ == "__main__":
    main()
