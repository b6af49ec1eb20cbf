"""Atomic writing of bundles: a bundle appears whole or not at all."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from biogpt_onnx.runtime.bundle import (
    MANIFEST_FILE,
    MODEL_FILE,
    UNFINISHED_MANIFEST_FILE,
    FileRecord,
    Manifest,
    hash_file,
)
from biogpt_onnx.runtime.bundle.target import absolute, check_target, refuse_inputs
from biogpt_onnx.runtime.bundle.workspace import Workspace, open_workspace
from biogpt_onnx.runtime.errors import BundleError
from biogpt_onnx.runtime.system.files import reason_of, remove_file, rename, replace_file


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
        (self.folder / MANIFEST_FILE).write_text(manifest.to_json(), encoding="utf-8", newline="\n")
        return manifest


@contextmanager
def atomic_folder(target: Path, *, overwrite: bool = False, inputs: Iterable[Path | None] = ()) -> Iterator[Path]:
    """Yields a folder that becomes `target` if the block ends without an error, and is removed if not.

    What a killed run to the same target has left is removed first.

    Args:
        target: the folder to make. One that exists and is empty is filled.
        overwrite: True to replace an exported model at `target`; a folder that holds anything else is never replaced.
        inputs: files and folders that the work reads, which must not be replaced.

    Raises:
        BundleError: `target` exists and may not be replaced, holds an input, or cannot be written.
    """
    refuse_inputs(target, inputs)
    check_target(target, overwrite=overwrite)
    place = absolute(target)
    try:
        with open_workspace(place) as workspace:
            yield workspace.new
            # The work may have taken hours, in which the user may have put something there.
            check_target(target, overwrite=overwrite)
            _put(workspace)
    except OSError as error:
        raise BundleError(
            f"{target} cannot be written ({reason_of(error)}); nothing is left of it: choose another folder"
        ) from error


@contextmanager
def write_bundle(
    target: Path, *, overwrite: bool = False, inputs: Iterable[Path | None] = ()
) -> Iterator[BundleWriter]:
    """Yields a writer whose bundle appears at `target` if the block ends without an error; see `atomic_folder`."""
    with atomic_folder(target, overwrite=overwrite, inputs=inputs) as folder:
        yield BundleWriter(folder)


def record_evaluation(folder: Path, manifest: Manifest, evaluation: Mapping[str, Any]) -> Manifest:
    """Writes an evaluation into the manifest of a finished bundle, and returns the new manifest.

    The old manifest is kept until the new one has been written whole.

    Raises:
        BundleError: the manifest cannot be written.
    """
    manifest = replace(manifest, evaluation=evaluation)
    unfinished = folder / UNFINISHED_MANIFEST_FILE
    try:
        unfinished.write_text(manifest.to_json(), encoding="utf-8", newline="\n")
        replace_file(unfinished, folder / MANIFEST_FILE)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise BundleError(
            f"{folder / MANIFEST_FILE} cannot be written ({reason_of(error)}): the bundle is whole, but nothing says "
            "how it was evaluated"
        ) from error
    return manifest


def _put(workspace: Workspace) -> None:
    target = workspace.target
    if workspace.folder.parent == target:
        _fill(workspace)
    elif target.exists():
        # A rename cannot replace a folder that is not empty, so the old one is moved aside first. If the process is
        # killed in between, the next run to this target puts it back.
        rename(target, workspace.old)
        rename(workspace.new, target)
    else:
        rename(workspace.new, target)


def _fill(workspace: Workspace) -> None:
    """Moves the files into the target, last those by which a bundle or an export is recognised."""
    moved: list[Path] = []
    try:
        for path in sorted(workspace.new.iterdir(), key=lambda path: path.name in {MODEL_FILE, MANIFEST_FILE}):
            moved.append(workspace.target / path.name)
            rename(path, moved[-1])
    except BaseException:
        for path in moved:
            remove_file(path)
        raise
