"""Gathers a wheelhouse: a folder that installs biogpt-onnx where there is no network.

    python -m deploy.offline.gather --wheel dist/biogpt_onnx-….whl --site build/site --bundle bundles/mini-int8 \
        --output build/wheelhouse

Wheels come by pip, as this machine's pip is set up, and only those with a hash of the committed lock files are taken.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import parse_wheel_filename

from deploy.offline.pins import Pin, narrowed, package_of, read_lock, write_lock
from deploy.offline.sbom import write_sbom

HERE = Path(__file__).parent
EXTRAS = ("cpu", "export-safetensors", "files", "server")
PYTHONS = ("3.11", "3.12", "3.13")
MACHINES = ("x86_64", "aarch64")

SOURCE_ONLY = ("docopt",)
"""Packages that are published as source alone, whose wheels are built here."""

GLIBC = 28
"""The newest glibc 2.x that a wheel may need: that of the systems of 2018 and later."""

SETTINGS, SUMS, SBOM = "wheelhouse.conf", "SHA256SUMS", "sbom.cdx.json"
_OLDEST_GLIBC = 17
_COPIED = ("install.sh", "README.txt")
_EDGE = ("edge/install.sh", "edge/edge.conf", "systemd/biogpt-onnx.service")


class GatheringError(Exception):
    """A wheelhouse that cannot be made; its message is one line."""


@dataclass(frozen=True)
class Request:
    """What to gather.

    Attributes:
        output: folder to make.
        wheel: wheel of biogpt-onnx.
        site: folder of the documentation site.
        bundle: folder of a bundle.
        locks: folder of the lock files.
        machine: kind of processor, as `uname -m` names it.
        pythons: versions of Python.
    """

    output: Path
    wheel: Path
    site: Path
    bundle: Path
    locks: Path
    machine: str
    pythons: Sequence[str]


def gather(request: Request) -> str:
    """Makes the folder, whole or not at all, and returns the SHA-256 of its list of hashes.

    Raises:
        GatheringError: something is missing, or pip got no file with a hash of the lock files.
    """
    for folder in (request.site, request.bundle):
        if not folder.is_dir():
            raise GatheringError(f"{folder} is no folder: `make wheelhouse` makes it")
    if request.output.exists() and not (request.output / SETTINGS).is_file():
        raise GatheringError(f"{request.output} is there and no wheelhouse: name another folder")
    request.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=request.output.parent, prefix=".wheelhouse-") as name:
        made = Path(name) / request.output.name
        made.mkdir()
        _fill(made, request)
        digest = _write_sums(made)
        with suppress(FileNotFoundError):
            shutil.rmtree(request.output)
        made.rename(request.output)
    return digest


def _fill(folder: Path, request: Request) -> None:
    wheels = folder / "wheels"
    wheels.mkdir()
    locks = {extra: read_lock(request.locks / f"{extra}.txt") for extra in EXTRAS}
    pins = [pin for lock in locks.values() for pin in lock]
    for python in request.pythons:
        # An extra may need a package where another does not.
        needed = {pin.name: pin for pin in pins if pin.is_needed(python, request.machine)}
        _download(list(needed.values()), python, request, wheels)
    built = _build([pin for pin in pins if pin.name in SOURCE_ONLY], wheels)
    _write_locks(folder / "locks", locks, wheels, built)
    _add_own(folder, request.wheel)
    for name in _COPIED:
        shutil.copy(HERE / name, folder / name)
    (folder / "edge").mkdir()
    for name in _EDGE:
        shutil.copy(HERE.parent / name, folder / "edge")
    shutil.copytree(request.site, folder / "site")
    shutil.copytree(request.bundle, folder / "bundle")
    _write_settings(folder, request)
    write_sbom(folder / SBOM, sorted(wheels.iterdir()))


def _pip(*words: str | Path) -> None:
    """Runs pip, and says its last error in one line."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *map(str, words)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        errors = [line for line in run.stderr.splitlines() if line.startswith("ERROR: ")] or run.stderr.splitlines()
        raise GatheringError(f"pip {words[0]}: {errors[-1].removeprefix('ERROR: ') if errors else run.returncode}")


def _requirements(path: Path, pins: Sequence[Pin]) -> Path:
    path.write_text("".join(f"{pin.lines(marked=False)}\n" for pin in pins), encoding="utf-8")
    return path


def _download(pins: Sequence[Pin], python: str, request: Request, wheels: Path) -> None:
    # pip would judge markers by the Python that runs it, so they are judged here, and none are left.
    published = [pin for pin in pins if pin.name not in SOURCE_ONLY]
    tags = [f"manylinux_2_{minor}_{request.machine}" for minor in range(GLIBC, _OLDEST_GLIBC - 1, -1)]
    tags += [f"manylinux2014_{request.machine}", f"linux_{request.machine}"]
    with tempfile.TemporaryDirectory() as folder:
        _pip(
            *("download", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--dest", wheels),
            *("--implementation", "cp", "--python-version", python),
            *(word for tag in tags for word in ("--platform", tag)),
            *("--requirement", _requirements(Path(folder) / "requirements.txt", published)),
        )


def _build(pins: Sequence[Pin], wheels: Path) -> dict[str, str]:
    """Builds wheels of what is published as source alone; returns a note on each for the lock file."""
    for pin in pins:
        with tempfile.TemporaryDirectory() as folder:
            path = _requirements(Path(folder) / "requirements.txt", [pin])
            # A wheel of the cache would not tell that its source had the hash.
            _pip(
                *("wheel", "--quiet", "--no-deps", "--require-hashes", "--no-cache-dir", "--no-binary", pin.name),
                *("--wheel-dir", wheels, "--requirement", path),
            )
        (wheel,) = (path for path in wheels.iterdir() if package_of(path) == (pin.name, pin.version))
        if not wheel.name.endswith("-none-any.whl"):
            raise GatheringError(f"{wheel.name} fits this machine alone: {pin.name} is no pure Python")
    return {pin.name: f"built from the source of sha256:{', sha256:'.join(pin.sha256)}" for pin in pins}


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_locks(folder: Path, locks: dict[str, list[Pin]], wheels: Path, built: dict[str, str]) -> None:
    folder.mkdir()
    hashes: dict[tuple[str, str], dict[str, str]] = {}
    for wheel in wheels.iterdir():
        hashes.setdefault(package_of(wheel), {})[wheel.name] = _hash(wheel)
    for extra, pins in locks.items():
        write_lock(folder / f"{extra}.txt", narrowed(pins, hashes, built))


def _add_own(folder: Path, wheel: Path) -> None:
    copy = Path(shutil.copy(wheel, folder / "wheels"))
    name, version = package_of(copy)
    write_lock(folder / "locks" / f"{name}.txt", [Pin(name, version, None, (_hash(copy),))])


def _write_settings(folder: Path, request: Request) -> None:
    _, version = package_of(request.wheel)
    settings = {
        "version": version,
        "machine": request.machine,
        "pythons": " ".join(request.pythons),
        "extras": " ".join(EXTRAS),
        "glibc": f"2.{max(_oldest_glibc(wheel) for wheel in (folder / 'wheels').iterdir())}",
    }
    text = "# What install.sh reads of this folder.\n" + "".join(
        f"{name}={value}\n" for name, value in settings.items()
    )
    (folder / SETTINGS).write_text(text, encoding="utf-8")


def _oldest_glibc(wheel: Path) -> int:
    """Returns the minor number of the oldest glibc 2.x on which a wheel runs."""
    *_, tags = parse_wheel_filename(wheel.name)
    platforms = [tag.platform.split("_") for tag in tags]
    minors = [int(parts[2]) for parts in platforms if parts[0] == "manylinux"]
    return min([minor for minor in minors if minor >= _OLDEST_GLIBC], default=_OLDEST_GLIBC)


def _write_sums(folder: Path) -> str:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{_hash(path)}  {path.relative_to(folder).as_posix()}\n" for path in paths]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
    return _hash(folder / SUMS)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.offline.gather", description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="folder to make")
    parser.add_argument("--wheel", type=Path, required=True, metavar="FILE", help="wheel of biogpt-onnx")
    parser.add_argument("--site", type=Path, required=True, metavar="FOLDER", help="the documentation site")
    parser.add_argument("--bundle", type=Path, required=True, metavar="FOLDER", help="a bundle to carry along")
    parser.add_argument("--machine", choices=MACHINES, default=os.uname().machine, help="kind of processor")
    parser.add_argument("--pythons", nargs="+", default=PYTHONS, metavar="VERSION", help="versions of Python")
    parser.add_argument("--locks", type=Path, default=HERE / "locks", metavar="FOLDER", help="the lock files")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Gathers a wheelhouse as the command line says; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        digest = gather(Request(**vars(options)))
    except (GatheringError, OSError, ValueError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    size = sum(path.stat().st_size for path in options.output.rglob("*") if path.is_file())
    print(f"{options.output}: {size / 1e6:,.0f} MB; sha256 of its {SUMS}: {digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
