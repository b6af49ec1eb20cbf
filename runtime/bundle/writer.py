"""Writing a bundle whole or not at all."""

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
    """A bundle in the making: put the files into `folder`, then call `finish`."""

    folder: Path

    def finish(self, manifest: Manifest) -> Manifest:
        """Records every file of the folder in the manifest and writes it beside them."""
        files = {
            path.name: FileRecord(size=path.stat().st_size, sha256=hash_file(path))
            for path in sorted(self.folder.iterdir())
        }
        manifest = replace(manifest, files=files)
        (self.folder / MANIFEST_FILE).write_text(manifest.to_json(), encoding="utf-8")
        return manifest


@contextmanager
def atomic_folder(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A folder beside `target` that becomes `target` when the block ends well, and vanishes when it does not.

    Args:
        target: the folder to make.
        overwrite: whether an exported model (or an empty folder) that stands there is replaced. Anything else never is.

    Raises:
        BundleError: the target stands in the way or its parent cannot be written.
    """
    _refuse_occupied(target, overwrite=overwrite)
    # Named before it is made, so that a signal at any moment finds the name to remove.
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
    """A `BundleWriter` whose bundle appears at `target` when the block ends well; see `atomic_folder`."""
    with atomic_folder(target, overwrite=overwrite) as folder:
        yield BundleWriter(folder)


def record_evaluation(folder: Path, manifest: Manifest, evaluation: Mapping[str, Any]) -> Manifest:
    """Writes an evaluation into the manifest of a finished bundle; the old manifest stands until the new one is whole.

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
    # A folder that is not empty cannot be renamed over: the old one steps aside for a moment.
    retired = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    target.rename(retired / target.name)
    try:
        building.rename(target)
    except OSError:
        (retired / target.name).rename(target)
        raise
    finally:
        shutil.rmtree(retired, ignore_errors=True)
