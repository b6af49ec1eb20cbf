"""Record of the files that a bundle was made from."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from biogpt_onnx.runtime.bundle import hash_file


def checkpoint_record(files: Iterable[Path]) -> dict[str, Any]:
    """Returns the names, sizes in bytes and hashes of a checkpoint's files, for the manifest's `lineage`.

    Folders are left out, so that the same checkpoint has the same record on every machine. Every file is read once.

    Raises:
        OSError: a file cannot be read.
    """
    records = [{"name": path.name, "size": path.stat().st_size, "sha256": hash_file(path)} for path in files]
    return {"files": sorted(records, key=lambda record: (str(record["name"]), str(record["sha256"])))}
