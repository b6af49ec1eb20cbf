"""Tar archives, whole and damaged."""

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path


def tar(members: Mapping[str, bytes | str]) -> bytes:
    """An archive of plain files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in members.items():
            data = content.encode() if isinstance(content, str) else content
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return packed.getvalue()


def save_tar(path: Path, members: Mapping[str, bytes | str]) -> Path:
    """An archive in a file, compressed if its name says so."""
    content = tar(members)
    path.write_bytes(content if path.suffix == ".tar" else gzip.compress(content))
    return path
