"""The files of a bundle beside its manifest: which there are, and whether they are as the manifest says."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from biogpt_onnx.runtime.bundle.manifest import FileRecord, Manifest
from biogpt_onnx.runtime.bundle.names import MANIFEST_FILE, WEIGHTS_FILE
from biogpt_onnx.runtime.errors import BundleError

_HASH_CHUNK_BYTES = 4 * 1024 * 1024


def unlisted_files(folder: Path, manifest: Manifest) -> list[str]:
    """Returns the names of what lies in a bundle's folder without being in its manifest, which nothing reads."""
    return sorted(path.name for path in folder.iterdir() if path.name not in {*manifest.files, MANIFEST_FILE})


def check_files(folder: Path, manifest: Manifest, *, contents: bool = False) -> None:
    """Compares the bundle's files with its manifest: presence and size, and with `contents` the hash of every file.

    Raises:
        BundleError: files are missing, of another size or altered; the message lists all of them.
    """
    _check(folder, manifest.files, contents=contents)


def check_small_files(folder: Path, manifest: Manifest) -> None:
    """Compares all files but the weights with their hashes.

    A byte of the vocabulary or of a graph that is another can change every answer without an error. So can one of the
    weights, but to hash them takes longer than to load them.

    Raises:
        BundleError: files are missing or altered; the message lists all of them.
    """
    small = {name: record for name, record in manifest.files.items() if name != WEIGHTS_FILE}
    _check(folder, small, contents=True)


def _check(folder: Path, files: Mapping[str, FileRecord], *, contents: bool) -> None:
    problems = list(_file_problems(folder, files, contents=contents))
    if problems:
        raise BundleError(f"{folder}: {'; '.join(problems)}: copy or export the bundle again")


def weights_outside(folder: Path) -> str | None:
    """Returns why ONNX Runtime may refuse a bundle whose files are links, with the remedy; None if none leads outside.

    Some versions read no weights that lie outside of the graph's own folder, once links are followed.
    """
    weights = folder / WEIGHTS_FILE
    if weights.resolve().parent == folder.resolve():
        return None
    return (
        f"{weights} is a link to {weights.resolve()}, and the installed ONNX Runtime reads no weights outside of the "
        f"bundle's folder: copy the bundle with its links followed (cp -rL {folder} NEW) and name the copy"
    )


def refuse_undecodable(folder: Path) -> None:
    """Refuses a folder that ONNX and ONNX Runtime cannot open, because they take paths as text.

    Raises:
        BundleError: the path is not UTF-8.
    """
    try:
        str(folder).encode()
    except UnicodeEncodeError as error:
        raise BundleError(
            f"{str(folder)!a} has bytes that are not UTF-8, and ONNX Runtime opens no such path: rename the folder"
        ) from error


def hash_file(path: Path) -> str:
    """Returns the sha256 of a file, as hexadecimal digits."""
    import hashlib  # noqa: PLC0415 -- slow to import, and not every command hashes

    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_HASH_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _file_problems(folder: Path, files: Mapping[str, FileRecord], *, contents: bool) -> Iterator[str]:
    for name, record in files.items():
        path = folder / name
        if not path.is_file():
            yield f"{name} is missing"
        elif (size := path.stat().st_size) != record.size:
            yield f"{name} has {size:,} bytes where the manifest says {record.size:,}"
        elif contents and hash_file(path) != record.sha256:
            yield f"{name} is altered (its sha256 is not the manifest's)"
