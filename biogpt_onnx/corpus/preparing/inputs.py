"""Inputs of a run: the files that names, folders and patterns stand for, and their one format."""

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from biogpt_onnx.corpus.preparing.archives import format_of_archive, has_format
from biogpt_onnx.corpus.preparing.checksums import SUFFIX as CHECKSUM
from biogpt_onnx.files.formats import STANDARD_INPUT, Format
from biogpt_onnx.files.opening.archive import is_archive
from biogpt_onnx.files.opening.source import is_stream
from biogpt_onnx.files.reading import detect_format
from biogpt_onnx.runtime.errors import DocumentError

_MOST_NAMES = 3


@dataclass(frozen=True)
class FoundInputs:
    """The files of a run, in the order in which they are read.

    Attributes:
        files: The files.
        skipped: The files of folders that do not say by their names that they hold documents.
    """

    files: tuple[Path, ...]
    skipped: tuple[Path, ...]


def find_inputs(names: Iterable[str | os.PathLike[str]]) -> FoundInputs:
    """Returns the files that names stand for: files, folders with all that is below them, and patterns such as `*.xml`.

    Files of a folder and of a pattern come in the order of their names; hidden ones and checksums are left out. A file
    that several names stand for is read once, at its first place.

    Raises:
        DocumentError: A name stands for nothing, or for what cannot be read twice.
    """
    files: dict[Path, None] = {}
    skipped: dict[Path, None] = {}
    for given in names:
        name = os.fspath(given)
        for path, is_asked in _expanded(name):
            if is_asked or _holds_documents(path):
                files[path] = None
            elif not _is_checksum(path):
                skipped[path] = None
    return FoundInputs(tuple(files), tuple(path for path in skipped if path not in files))


def written_name(path: Path) -> str:
    """Returns a file's name as a run records it; bytes that are not UTF-8 become escapes."""
    return os.fsencode(path).decode("utf-8", errors="backslashreplace")


def check_formats(files: Iterable[Path]) -> Format:
    """Returns the format of all files.

    Raises:
        DocumentError: A file cannot be read or has no format that is known, or two have different formats.
    """
    first: tuple[Path, Format] | None = None
    for path in files:
        found = format_of_archive(path) if is_archive(path.name) else detect_format(path).format
        first = first or (path, found)
        if found != first[1]:
            raise DocumentError(
                f"{first[0]} is {first[1]} and {path} is {found}: prepare a run for each format, or give the format "
                "that all are to be read as"
            )
    if first is None:
        raise DocumentError("give at least one file, folder or pattern")
    return first[1]


def _expanded(name: str) -> Iterator[tuple[Path, bool]]:
    """Yields the files of a name, each with whether the user named it."""
    if not name:
        # As a path it would be the folder that the command runs in.
        raise DocumentError("an input has an empty name: name a file, a folder or a pattern")
    if name == STANDARD_INPUT:
        raise DocumentError("a run is prepared from files, not from standard input: write it to a file and name that")
    path = Path(name)
    if path.is_dir():
        found = list(_below(path))
        if not any(map(_holds_documents, found)):
            said = ", ".join(str(each.relative_to(path)) for each in found[:_MOST_NAMES])
            holds = f"no file of a known format (it has {said})" if found else "no file"
            raise DocumentError(
                f"the folder {name} holds {holds}: name another, or its files by a pattern such as {name}/*"
            )
        yield from ((each, False) for each in found)
    elif path.exists():
        if is_stream(path):
            raise DocumentError(f"{name} is no plain file, and can be read only once: write it to a file and name that")
        yield path, True
    else:
        matching = _matching(name) if glob.has_magic(name) else []
        plain = [Path(each) for each in matching if Path(each).is_file()]
        if not plain:
            what = "no file matches" if glob.has_magic(name) else "there is no file or folder"
            raise DocumentError(f"{what} {name}: name another")
        # Of "pubmed/*", the checksums are no documents either.
        yield from ((each, not _is_checksum(each)) for each in plain)


def _matching(pattern: str) -> list[str]:
    # A path's own method takes no absolute patterns.
    return sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207


def _below(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        yield from (Path(root) / each for each in sorted(names) if not each.startswith("."))


def _holds_documents(path: Path) -> bool:
    """Returns True if a file says by its name that it holds documents."""
    return (is_archive(path.name) or has_format(path.name)) and path.is_file()


def _is_checksum(path: Path) -> bool:
    return path.suffix == CHECKSUM and path.with_suffix("").is_file()
