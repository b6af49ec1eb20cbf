"""Checks of files that came from elsewhere, and may be something else than their names say."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from biogpt_onnx.runtime.errors import CheckpointError

_LFS_POINTER = b"version https://git-lfs"
# The largest real file, the index of BioGPT-Large's shards, is under 1 MB.
_MAX_JSON_BYTES = 64 * 1024 * 1024


_files_read: ContextVar[list[Path] | None] = ContextVar("_files_read", default=None)


@contextmanager
def recording_files() -> Iterator[list[Path]]:
    """Yields a list that gets each file that is read while the block runs, in the order of reading.

    Every reader calls `check_is_data` first, so that no form of checkpoint can forget one of its files.
    """
    files: list[Path] = []
    token = _files_read.set(files)
    try:
        yield files
    finally:
        _files_read.reset(token)


def check_is_data(path: Path) -> None:
    """Refuses a file that cannot hold a checkpoint's data.

    Raises:
        CheckpointError: the file cannot be read, is empty, or is a git-lfs pointer.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(_LFS_POINTER))
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read ({error.strerror})") from error
    if (files := _files_read.get()) is not None and path not in files:
        files.append(path)
    if not start:
        raise CheckpointError(f"{path.name} is empty: fetch it again")
    if start == _LFS_POINTER:
        raise CheckpointError(
            f"{path.name} is a git-lfs pointer, not the file itself: run `git lfs pull` in the folder it came from"
        )


def read_json_object(path: Path) -> dict[str, object]:
    """Reads a file that must be a JSON object.

    Raises:
        CheckpointError: the file is absent, far too large, or not a JSON object.
    """
    check_is_data(path)
    if path.stat().st_size > _MAX_JSON_BYTES:
        raise CheckpointError(f"{path.name} has {path.stat().st_size:,} bytes, which no such file has")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path.name} is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path.name} is not a JSON object")
    return content
