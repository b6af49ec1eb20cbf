"""Atomic writing of bundles: a bundle appears whole or not at all."""

import contextlib
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from biogpt_onnx.runtime.bundle import MANIFEST_FILE, MODEL_FILE, FileRecord, Manifest, hash_file
from biogpt_onnx.runtime.errors import BundleError


@dataclass(frozen=True)
class BundleWriter:
    """A bundle that is being written: put the files into `folder`, then call `finish`.

    Attributes:
        folder: the folder for the bundle's files.
    """

    folder: Path

    def finish(self, manifest: Manifest) -> Manifest:
        """Records every file of the folder in the manifest, writes it beside them and returns it."""
        files = {
            path.name: FileRecord(size=path.stat().st_size, sha256=hash_file(path))
            for path in sorted(self.folder.iterdir())
        }
        manifest = replace(manifest, files=files)
        (self.folder / MANIFEST_FILE).write_text(manifest.to_json(), encoding="utf-8")
        return manifest


@contextmanager
def atomic_folder(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yields a folder beside `target` that becomes `target` if the block ends without an error, and is removed if not.

    Args:
        target: the folder to make.
        overwrite: True to replace an exported model at `target`. An empty folder is always replaced, anything else
            never.

    Raises:
        BundleError: `target` exists and may not be replaced, or cannot be written.
    """
    _refuse_occupied(target, overwrite=overwrite)
    # The name is fixed before the folder is made, so that the folder is removed whenever a signal arrives.
    building = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        _make(building, target)
        yield building
        _replace(building, target)
    except OSError as error:
        raise BundleError(
            f"{target} could not be written ({error.strerror or error}); nothing is left of it"
        ) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


@contextmanager
def write_bundle(target: Path, *, overwrite: bool = False) -> Iterator[BundleWriter]:
    """Yields a writer whose bundle appears at `target` if the block ends without an error; see `atomic_folder`."""
    with atomic_folder(target, overwrite=overwrite) as folder:
        yield BundleWriter(folder)


def record_evaluation(folder: Path, manifest: Manifest, evaluation: Mapping[str, Any]) -> Manifest:
    """Writes an evaluation into the manifest of a finished bundle, and returns the new manifest.

    The old manifest is kept until the new one has been written whole.

    Raises:
        BundleError: the manifest cannot be written.
    """
    manifest = replace(manifest, evaluation=evaluation)
    unfinished = folder / f".{MANIFEST_FILE}"
    try:
        unfinished.write_text(manifest.to_json(), encoding="utf-8")
        unfinished.replace(folder / MANIFEST_FILE)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise BundleError(
            f"{folder / MANIFEST_FILE} cannot be written ({error.strerror}): the bundle is whole, but nothing says how "
            "it was evaluated"
        ) from error
    return manifest


def _make(building: Path, target: Path) -> None:
    try:
        building.mkdir(parents=True)
    except OSError as error:
        raise BundleError(f"{target} cannot be written ({error.strerror}): choose another folder") from error


def _refuse_occupied(target: Path, *, overwrite: bool) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise BundleError(f"{target} is not a folder: choose another name")
    if not target.exists() or not any(target.iterdir()):
        return
    if not overwrite:
        raise BundleError(f"{target} exists and is not empty: choose another folder, or say --overwrite")
    if not any((target / name).is_file() for name in (MANIFEST_FILE, MODEL_FILE)):
        raise BundleError(f"{target} holds no exported model, so it is not overwritten: choose another folder")


def _replace(building: Path, target: Path) -> None:
    if not target.exists():
        building.rename(target)
        return
    # A rename cannot replace a folder that is not empty, so the old one is moved aside first.
    retired = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    target.rename(retired / target.name)
    try:
        building.rename(target)
    except OSError:
        (retired / target.name).rename(target)
        raise
    finally:
        shutil.rmtree(retired, ignore_errors=True)
