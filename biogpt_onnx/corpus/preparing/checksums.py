"""Checksums that lie beside downloaded files: `FILE.md5`, as PubMed has them."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from biogpt_onnx.runtime.errors import DocumentError

SUFFIX = ".md5"
_MOST_BYTES = 4096
# PubMed writes "MD5(pubmed25n0001.xml.gz)= ...", md5sum the digest and the name behind it.
_DIGEST = re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{32}(?![0-9a-fA-F])")


def check_downloads(files: Iterable[Path]) -> int:
    """Compares files with the checksums that lie beside them, if any do.

    Returns:
        The number of files that were compared.

    Raises:
        DocumentError: A file is not the one that its checksum is of, or a checksum cannot be read.
    """
    number = 0
    for path in files:
        beside = path.with_name(path.name + SUFFIX)
        if not beside.is_file():
            continue
        number += 1
        if _md5_of(path) != _written_in(beside):
            raise DocumentError(
                f"{path} is damaged, as {beside.name} has the checksum of another content: download both again"
            )
    return number


def _written_in(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            text = stream.read(_MOST_BYTES).decode("ascii", errors="replace")
    except OSError as error:
        raise DocumentError(f"{path} cannot be read ({error.strerror or error})") from error
    found = _DIGEST.findall(text)
    if len(found) != 1:
        raise DocumentError(f"{path} holds {len(found)} MD5 checksums instead of one: download it again, or remove it")
    return str(found[0]).lower()


def _md5_of(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise DocumentError(f"{path} cannot be read ({error.strerror or error}): name another file") from error
