"""Wheelhouses of two packages that hold next to nothing, and what a shell script is given to install from them."""

import hashlib
import platform
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from makers.deployment import DEPLOY

OFFLINE = DEPLOY / "offline"
VERSION = "9.8"


def sha256(path: Path) -> str:
    """Returns the hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_wheel(folder: Path, name: str, version: str, *, needs: str = "", says: str = "") -> Path:
    """Writes a wheel of one module, and of a command of the same name that prints a text.

    Args:
        folder: folder to write it to.
        name: name of the module, and of the package.
        version: version of the package.
        needs: a package that it depends on.
        says: what the command prints; without a text there is no command.
    """
    path = folder / f"{name}-{version}-py3-none-any.whl"
    metadata = f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\nLicense-Expression: MIT\n"
    files = {
        f"{name}.py": f"def main():\n    print({says!r})\n",
        f"{name}-{version}.dist-info/METADATA": metadata + (f"Requires-Dist: {needs}\n" if needs else ""),
        f"{name}-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if says:
        commands = f"[console_scripts]\n{name.replace('_', '-')} = {name}:main\n"
        files[f"{name}-{version}.dist-info/entry_points.txt"] = commands
    record = f"{name}-{version}.dist-info/RECORD"
    files[record] = "".join(f"{each},,\n" for each in [*files, record])
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in files.items():
            archive.writestr(each, content)
    return path


@dataclass(frozen=True)
class Wheelhouse:
    """A wheelhouse in a folder.

    Attributes:
        folder: the folder.
    """

    folder: Path

    def write_sums(self) -> None:
        """Writes the list of hashes anew, of the files as they are."""
        paths = sorted(path for path in self.folder.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
        lines = [f"{sha256(path)}  {path.relative_to(self.folder)}\n" for path in paths]
        (self.folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")

    def change(self, setting: str, value: str) -> None:
        """Changes a setting of the wheelhouse, and the list of hashes with it."""
        path = self.folder / "wheelhouse.conf"
        lines = path.read_text(encoding="utf-8").splitlines()
        lines = [f"{setting}={value}" if line.startswith(f"{setting}=") else line for line in lines]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        self.write_sums()

    def install(self, *words: str | Path, at: Path | None = None) -> "subprocess.CompletedProcess[str]":
        """Runs the script that installs, in another folder than its own."""
        command = ["sh", str(self.folder / "install.sh"), "--python", sys.executable, *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=at or self.folder.parent)


def make_wheelhouse(folder: Path) -> Wheelhouse:
    """Makes a wheelhouse for the Python that runs, of `biogpt-onnx` and a package for its extra `cpu`."""
    wheels, locks = folder / "wheels", folder / "locks"
    wheels.mkdir(parents=True)
    locks.mkdir()
    shutil.copy(OFFLINE / "install.sh", folder / "install.sh")
    leaf = write_wheel(wheels, "leaf", "1.0")
    own = write_wheel(wheels, "biogpt_onnx", VERSION, needs="leaf", says="it is installed")
    (locks / "cpu.txt").write_text(f"leaf==1.0 --hash=sha256:{sha256(leaf)}\n", encoding="utf-8")
    (locks / "biogpt-onnx.txt").write_text(f"biogpt-onnx=={VERSION} --hash=sha256:{sha256(own)}\n", encoding="utf-8")
    settings = {
        "version": VERSION,
        "machine": platform.machine(),
        "pythons": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "extras": "cpu",
        "glibc": "2.17",
    }
    text = "".join(f"{name}={value}\n" for name, value in settings.items())
    (folder / "wheelhouse.conf").write_text(text, encoding="utf-8")
    made = Wheelhouse(folder)
    made.write_sums()
    return made
