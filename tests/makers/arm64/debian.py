"""Debian packages of any of its releases and architectures, fetched by apt without touching what is installed.

apt checks the signatures and hashes. It is given a state of its own, and sources that name the mirror that it has here,
so that no address is written down.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from makers.arm64.errors import UnavailableError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SECONDS = 900


@dataclass(frozen=True)
class Source:
    """A release of Debian, of which packages of one architecture are wanted.

    Attributes:
        release: code name, such as "trixie".
        architecture: Debian's name of it, such as "arm64".
    """

    release: str
    architecture: str


class Apt:
    """apt with a state of its own: lists, and packages that are downloaded and not installed."""

    def __init__(self, folder: Path, sources: list[Source]) -> None:
        """Reads the lists of packages.

        Args:
            folder: folder of the state, which is made.
            sources: releases to read.

        Raises:
            UnavailableError: there is no apt, no mirror of Debian in its sources, or the mirror cannot be reached.
        """
        self._folder = folder
        for name in ("state/lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        mirror = _mirror()
        lines = [
            f"deb [arch={source.architecture} signed-by={KEYRING}] {mirror} {source.release} main" for source in sources
        ]
        (folder / "sources.list").write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._architectures = list(dict.fromkeys(source.architecture for source in sources))
        self._run("update")

    def fetch(self, *packages: str) -> list[Path]:
        """Downloads packages and all that they depend on; returns the files.

        Args:
            packages: names with architectures, such as "python3.11:arm64".

        Raises:
            UnavailableError: a package is not to be had.
        """
        self._run("install", "--yes", "--download-only", "--no-install-recommends", *packages)
        archives = self._folder / "cache" / "archives"
        files = sorted(archives.glob("*.deb"))
        return [path.rename(self._folder / path.name) for path in files]

    def fetch_alone(self, package: str) -> Path:
        """Downloads a package without what it depends on; returns the file.

        Args:
            package: name with architecture.

        Raises:
            UnavailableError: the package is not to be had.
        """
        before = set(self._folder.glob("*.deb"))
        self._run("download", package)
        (found,) = set(self._folder.glob("*.deb")) - before
        return found

    def _run(self, *arguments: str) -> None:
        folder = self._folder
        options = {
            "Dir::State": folder / "state",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder / "cache",
            "Dir::Etc::SourceList": folder / "sources.list",
            "Dir::Etc::SourceParts": "-",
            "Dir::Etc::Preferences": "-",
            "Dir::Etc::PreferencesParts": "-",
            "APT::Architecture": self._architectures[0],
            "APT::Architectures": ",".join(self._architectures),
            "APT::Sandbox::User": "",
            "Acquire::Languages": "none",
            "DPkg::Use-Pty": "false",
        }
        command = ["apt-get", "--quiet", *(f"--option={name}={value}" for name, value in options.items()), *arguments]
        _checked(command, folder)


def unpack(archive: Path, folder: Path, keep: str | None = None) -> None:
    """Unpacks a package's files into a folder, without running its scripts.

    Args:
        archive: the package.
        folder: folder to unpack into, which is made.
        keep: path of the one file to keep, in a folder of this package alone; None for all files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _checked(["dpkg-deb", "--extract", str(archive), str(folder)], folder)
    for path in folder.rglob("*") if keep else ():
        if not path.is_dir() and path != folder / str(keep):
            path.unlink()


def host_architecture() -> str:
    """Returns Debian's name of the architecture that dpkg installs for.

    Raises:
        UnavailableError: this is no system with dpkg.
    """
    return _checked(["dpkg", "--print-architecture"], Path()).strip()


def _mirror() -> str:
    """Returns the address of the Debian mirror in apt's own sources."""
    wanted = "$(ORIGIN)|$(LABEL)|$(REPO_URI)"
    lines = _checked(["apt-get", "indextargets", "--format", wanted, "Created-By: Packages"], Path()).splitlines()
    found = [
        address for origin, label, address in (line.split("|", 2) for line in lines) if origin == label == "Debian"
    ]
    if not found or not KEYRING.exists():
        raise UnavailableError("apt knows no mirror of Debian here")
    return found[0]


def _checked(command: list[str], folder: Path) -> str:
    try:
        found = subprocess.run(
            command,
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            env=os.environ | {"LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{command[0]} does not run here: {error}") from error
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise UnavailableError(f"{command[0]} failed: {last}") from error
    return found.stdout
