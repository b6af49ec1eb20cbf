"""Lock files: packages at one version each, with the hashes of the files that may be installed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

_HASH = "--hash=sha256:"


@dataclass(frozen=True)
class Pin:
    """A package at one version.

    Attributes:
        name: normalized name.
        version: the version, as text.
        marker: where it is needed; None for everywhere.
        sha256: hashes of its files, in hexadecimal digits.
        note: how it came about, where a reader must be told.
    """

    name: str
    version: str
    marker: Marker | None
    sha256: tuple[str, ...]
    note: str | None = None

    def is_needed(self, python: str, machine: str) -> bool:
        """Returns True if CPython of a version (such as "3.12") needs it on Linux with such a processor."""
        where = {
            "implementation_name": "cpython",
            "os_name": "posix",
            "platform_machine": machine,
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": f"{python}.0",
            "python_version": python,
            "sys_platform": "linux",
        }
        return self.marker is None or self.marker.evaluate(where)

    def lines(self, *, marked: bool = True) -> str:
        """Returns the pin as a lock file has it, `marked` with where it is needed."""
        marker = f" ; {self.marker}" if marked and self.marker is not None else ""
        comment = f"# {self.note}\n" if self.note else ""
        return comment + " \\\n    ".join(
            [f"{self.name}=={self.version}{marker}", *(_HASH + one for one in self.sha256)]
        )


def read_lock(path: Path) -> list[Pin]:
    """Reads a lock file as `uv pip compile --generate-hashes` writes it.

    Args:
        path: the file.

    Raises:
        ValueError: a line is no package with one version and at least one hash.
    """
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [_read_pin(line, path) for line in joined if line.strip()]


def _read_pin(line: str, path: Path) -> Pin:
    words = line.split()
    hashes = tuple(word.removeprefix(_HASH) for word in words if word.startswith(_HASH))
    requirement = Requirement(" ".join(word for word in words if not word.startswith("--hash=")))
    specifiers = list(requirement.specifier)
    if not hashes or len(specifiers) != 1 or specifiers[0].operator != "==" or requirement.url:
        raise ValueError(
            f"{path}: {requirement} has no single version with hashes: make the lock files by `make locks`"
        )
    version = str(Version(specifiers[0].version))
    return Pin(canonicalize_name(requirement.name), version, requirement.marker, hashes)


def write_lock(path: Path, pins: Iterable[Pin]) -> None:
    """Writes a lock file for pip's `--require-hashes`."""
    path.write_text("".join(f"{pin.lines()}\n" for pin in pins), encoding="utf-8")


def narrowed(
    pins: Iterable[Pin], wheels: "dict[tuple[str, str], dict[str, str]]", built: dict[str, str]
) -> Iterator[Pin]:
    """Yields pins with the hashes of the wheels that are there alone.

    Args:
        pins: pins whose hashes are those of all files that were published.
        wheels: hash of each wheel by its file's name, by package and version.
        built: notes on the packages whose wheels were not published, but built.

    Raises:
        ValueError: a wheel is none of the published files, and was not built.
    """
    for pin in pins:
        found = wheels.get((pin.name, pin.version))
        if not found:
            # Needed on other systems alone.
            continue
        if pin.name not in built and (strange := [name for name, digest in found.items() if digest not in pin.sha256]):
            raise ValueError(f"{strange[0]} has another hash than the lock file names")
        yield replace(pin, sha256=tuple(sorted(found.values())), note=built.get(pin.name))


def package_of(wheel: Path) -> tuple[str, str]:
    """Returns the normalized name and the version of the package in a wheel."""
    name, version, _, _ = parse_wheel_filename(wheel.name)
    return name, str(version)
