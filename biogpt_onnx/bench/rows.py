"""Result rows in a file of JSON lines, which survives an interruption and is continued by the next run."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.system.files import flush, replace_file

FORMAT = 1

Row = dict[str, Any]
Key = tuple[object, ...]

# Fields of the machine that must be equal for a run to be continued.
_IDENTITY = ("commit", "cpu", "cores", "instruction_sets", "versions")
_FINAL = ("measured", "unsupported")


def row_key(row: Mapping[str, Any]) -> Key:
    """Returns the key of a row: two rows of one key are the same measurement."""
    return (row["kind"], row["contender"]["name"], row["scenario"]["name"], row["threads"])


class RowFile:
    """The rows of one run. Each is on disk before the next is measured, and the file is whole at every moment.

    Args:
        path: the file; None keeps the rows in memory.
        rows: rows that the file holds already.

    Attributes:
        rows: all rows, in the order of their measurement.
    """

    def __init__(self, path: Path | None, rows: Sequence[Row] = ()) -> None:
        self._path = path
        self.rows: list[Row] = list(rows)

    def holds(self, key: Key) -> bool:
        """Returns True if a measurement has a final row; a failed one has none, and is tried again."""
        return any(row_key(row) == key and row["status"] in _FINAL for row in self.rows)

    def add(self, row: Row) -> None:
        """Adds a row, in the place of an earlier one of its key, and writes the file.

        Raises:
            OSError: the file cannot be written.
        """
        row = {"format": FORMAT} | row | {"reason": _without_folder(row["reason"])}
        self.rows = [*(old for old in self.rows if row_key(old) != row_key(row)), row]
        if self._path is not None:
            _write(self._path, self.rows)


def open_rows(
    path: Path | None,
    machine: Mapping[str, Any],
    digests: Mapping[str, str],
    settings: Mapping[str, Any],
    *,
    restart: bool = False,
) -> RowFile:
    """Opens a file of rows to continue it, or begins a new one.

    Args:
        path: the file; None keeps the rows in memory.
        machine: the machine, see `machine.describe`.
        digests: the digests of the contenders, by their names.
        settings: the fields of the run's `Settings`.
        restart: whether to discard the rows of the file.

    Raises:
        ConfigError: the file cannot be written, is damaged, or is of another machine, commit, version or model.
    """
    if path is None:
        return RowFile(None)
    check_writable(path)
    if restart or not path.exists():
        return RowFile(path)
    rows = read_rows(path)
    for row in rows:
        _check_same(path, row, machine, digests, settings)
    return RowFile(path, rows)


def check_writable(path: Path) -> None:
    """Checks that a file of results can be written, before anything is measured.

    Raises:
        ConfigError: it cannot.
    """
    if path.is_dir() or not path.parent.is_dir():
        what = "is a folder" if path.is_dir() else f"has no folder {path.parent}"
        raise ConfigError(f"output {path} {what}: name a file in a folder that exists")
    folder_is_writable = os.access(path.parent, os.W_OK)
    if not folder_is_writable or (path.exists() and not os.access(path, os.W_OK)):
        raise ConfigError(f"output {path} cannot be written: name a file in a folder of yours")


def read_rows(path: Path) -> list[Row]:
    """Reads the rows of a file.

    Raises:
        ConfigError: the file cannot be read, or a line is no row.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as JSON lines ({error}): name another file") from error
    return list(_rows(path, lines))


def check_versions(rows: Sequence[Row], name: str, versions: Mapping[str, str]) -> None:
    """Refuses to add rows of a contender to rows that other versions of its packages made.

    Args:
        rows: rows of earlier runs.
        name: the contender's name.
        versions: versions of its packages now.

    Raises:
        ConfigError: an earlier row has other versions.
    """
    for row in rows:
        then = row.get("versions")
        if row["contender"]["name"] == name and then and then != versions:
            raise ConfigError(
                f"{name} was measured with {_listed(then)} and has {_listed(versions)} now: "
                "name another file, or say --restart to measure everything anew"
            )


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{package} {version}" for package, version in versions.items())


def _rows(path: Path, lines: Sequence[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            row_key(row)
            known = row["format"] == FORMAT and isinstance(row["status"], str) and isinstance(row["machine"], dict)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ConfigError(f"{path}, line {number} is no result row: {_REMEDY}") from error
        if not known:
            raise ConfigError(f"{path}, line {number} is of another format than {FORMAT}: {_REMEDY}")
        yield row


_REMEDY = "remove the line, name another file, or say --restart to measure everything anew"


def _check_same(
    path: Path, row: Row, machine: Mapping[str, Any], digests: Mapping[str, str], settings: Mapping[str, Any]
) -> None:
    pairs = [(name, row["machine"].get(name), machine.get(name)) for name in _IDENTITY]
    name = row["contender"]["name"]
    if row["kind"] == "measurement":
        pairs.append(("settings", row.get("settings"), settings))
        pairs.append((f"digest of {name}", row["contender"].get("digest"), digests.get(name)))
    for what, then, now in pairs:
        # A contender without a digest is left out of this run: its earlier rows stay.
        if then != now and not (what.startswith("digest") and now is None):
            raise ConfigError(
                f"{path} cannot be continued: its {what} was {_short(then)} and is {_short(now)} now: "
                "name another file, or say --restart to measure everything anew"
            )


def _without_folder(reason: str | None) -> str | None:
    # Rows are published, and the path of a checkout is private.
    return reason and reason.replace(f"{Path.cwd()}{os.sep}", "")


def _short(value: object) -> str:
    text = json.dumps(value) if isinstance(value, dict | list) else str(value)
    return text[:12] if len(text) == 64 else text  # noqa: PLR2004 -- a sha256


def _write(path: Path, rows: Sequence[Row]) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(json.dumps(row, sort_keys=True) + "\n" for row in rows)
            file.flush()
            flush(file.fileno())
        replace_file(unfinished, path)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise
