"""Result rows in a file of JSON lines: kept when a run is interrupted, and taken up again by the next."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from biogpt_onnx.runtime.errors import ConfigError

FORMAT = 1

Row = dict[str, Any]
Key = tuple[object, ...]

# Of these a resumed run finds the same or refuses.
_IDENTITY = ("commit", "cpu", "cores", "instruction_sets", "versions")
_FINAL = ("measured", "unsupported")


def row_key(row: Mapping[str, Any]) -> Key:
    """What tells a row from all others: the same twice is the same measurement."""
    return (row["kind"], row["contender"]["name"], row["scenario"]["name"], row["threads"])


class RowFile:
    """The rows of one run. Each is on disk before the next is measured; the file is whole at every moment.

    Attributes:
        rows: in the order in which they came.
    """

    def __init__(self, path: Path | None, rows: Sequence[Row] = ()) -> None:
        self._path = path
        self.rows: list[Row] = list(rows)

    def holds(self, key: Key) -> bool:
        """Whether this was measured already; what failed is tried again."""
        return any(row_key(row) == key and row["status"] in _FINAL for row in self.rows)

    def add(self, row: Row) -> None:
        """Puts a row into the file, in the place of one that failed before.

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
    """Opens a file of rows to be continued, or a new one.

    Args:
        path: the file; None keeps the rows in memory.
        machine: what `machine.describe` says now.
        digests: those of the contenders' files, by name.
        settings: how often and how long is measured.
        restart: whether rows that are there are given up.

    Raises:
        ConfigError: the file cannot be written, is damaged, or is of another machine, commit, version or model.
    """
    if path is None:
        return RowFile(None)
    _check_writable(path)
    if restart or not path.exists():
        return RowFile(path)
    rows = read_rows(path)
    for row in rows:
        _check_same(path, row, machine, digests, settings)
    return RowFile(path, rows)


def read_rows(path: Path) -> list[Row]:
    """The rows of a file.

    Raises:
        ConfigError: it cannot be read, or a line is no row.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as JSON lines ({error}): name another file") from error
    return list(_rows(path, lines))


def check_versions(rows: Sequence[Row], name: str, versions: Mapping[str, str]) -> None:
    """Refuses to add to rows of a contender that other versions of its packages made.

    Raises:
        ConfigError: names the versions.
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
        # A contender that is left out this time is no other one.
        if then != now and not (what.startswith("digest") and now is None):
            raise ConfigError(
                f"{path} cannot be continued: its {what} was {_short(then)} and is {_short(now)} now: "
                "name another file, or say --restart to measure everything anew"
            )


def _without_folder(reason: str | None) -> str | None:
    # Where a checkout lies is nobody's business but its owner's, and rows are made to be shown.
    return reason and reason.replace(f"{Path.cwd()}/", "")


def _short(value: object) -> str:
    text = json.dumps(value) if isinstance(value, dict | list) else str(value)
    return text[:12] if len(text) == 64 else text  # noqa: PLR2004 -- a sha256


def _check_writable(path: Path) -> None:
    if path.is_dir() or not path.parent.is_dir():
        what = "is a folder" if path.is_dir() else f"has no folder {path.parent}"
        raise ConfigError(f"output {path} {what}: name a file in a folder that exists")
    folder_is_writable = os.access(path.parent, os.W_OK)
    if not folder_is_writable or (path.exists() and not os.access(path, os.W_OK)):
        raise ConfigError(f"output {path} cannot be written: name a file in a folder of yours")


def _write(path: Path, rows: Sequence[Row]) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, sort_keys=True) + "\n" for row in rows)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise
