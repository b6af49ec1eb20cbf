"""The place of an output: what may be replaced there, and that nothing there is among what the work reads."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from biogpt_onnx.runtime.bundle.files import refuse_undecodable
from biogpt_onnx.runtime.bundle.manifest_reading import MAX_MANIFEST_BYTES
from biogpt_onnx.runtime.bundle.names import (
    CONFIG_FILE,
    MANIFEST_FILE,
    MERGES_FILE,
    MODEL_FILE,
    REQUIRED_FILES,
    UNFINISHED_MANIFEST_FILE,
    VOCAB_FILE,
)
from biogpt_onnx.runtime.errors import BundleError
from biogpt_onnx.runtime.system.names import problem_of_output

# Files of optimum's layout, as `biogpt-onnx export --layout optimum` writes it; a model beyond 2 GB has its weights in
# a file of its own.
_OPTIMUM_FILES = frozenset(
    {MODEL_FILE, f"{MODEL_FILE}_data", CONFIG_FILE, "generation_config.json", VOCAB_FILE, MERGES_FILE}
)
_MODEL_TYPE = "biogpt"
_MOST_LINKS = 40
"""Links that are followed one after the other, as many as Linux follows."""
_MOST_NAMES = 3


def absolute(path: Path) -> Path:
    """Returns a path that does not depend on the current folder, and ends with a name even if it was given as ".".

    Links on the way are followed, but the last part is left as it is.

    Raises:
        BundleError: the links on the way lead in a circle, or nowhere.
    """
    try:
        return path.resolve() if path.name in {"", ".."} else path.parent.resolve() / path.name
    except (OSError, RuntimeError, ValueError) as error:
        raise BundleError(f"{path} cannot be used as a path ({error}): name another") from error


def refuse_inputs(output: Path, inputs: Iterable[Path | None]) -> None:
    """Refuses an output that would replace what the work reads, however the two are spelled or linked.

    Args:
        output: file or folder that is to be written.
        inputs: files and folders that are read, and the files in these folders, are neither the output nor inside of
            it. None, and what does not exist, is left out.

    Raises:
        BundleError: the output is an input, or a folder that holds one.
    """
    if not output.exists():
        return
    for given in inputs:
        for place in () if given is None else _places_of(given):
            if _is_same(place, output):
                raise BundleError(f"{output} is what is read ({given}): choose another place to write to")
            if any(_is_same(parent, output) for parent in place.parents):
                raise BundleError(f"{output} holds what is read ({given}): choose another place to write to")


def refuse_inside(output: Path, bundles: Iterable[Path | None]) -> None:
    """Refuses a file that would be written into a bundle, which holds nothing but its own files.

    Raises:
        BundleError: the output lies in one of the bundles.
    """
    parents = absolute(output).parents
    for folder in bundles:
        if folder is not None and any(_is_same(parent, folder) for parent in parents):
            raise BundleError(f"{output} would lie in the bundle {folder}: choose another place to write to")


def check_target(target: Path, *, overwrite: bool) -> None:
    """Refuses a folder in which nothing may be written, or whose content may not be replaced.

    An empty folder may always be filled. With `overwrite`, a bundle or an export in optimum's layout is replaced, but
    only if the folder holds nothing else.

    Args:
        target: folder that is to be made, as the user named it.
        overwrite: True if an exported model at `target` may be replaced.

    Raises:
        BundleError: the folder may not be written or replaced; says why.
    """
    place = absolute(target)
    refuse_undecodable(place)
    if problem := problem_of_output(place):
        raise BundleError(f"{target} cannot be the name of a folder, as {problem}: choose another name")
    if place.is_symlink():
        raise BundleError(
            f"{target} is a link: name the folder itself ({os.path.realpath(place)}), or choose another name"
        )
    if place.exists() and not place.is_dir():
        raise BundleError(f"{target} is not a folder: choose another name")
    names = content(place)
    if not names:
        return
    if not overwrite:
        raise BundleError(f"{target} exists and is not empty: choose another folder, or say --overwrite")
    foreign = sorted(set(names) - _exported_names(place))
    if len(foreign) == len(names):
        raise BundleError(f"{target} holds no exported model, so it is not overwritten: choose another folder")
    if foreign:
        listed = ", ".join(foreign[:_MOST_NAMES]) + (", …" if len(foreign) > _MOST_NAMES else "")
        raise BundleError(
            f"{target} also holds {listed}, so it is not overwritten: move that away, or choose another folder"
        )
    if _is_same(place, Path.cwd()) or place.is_mount():
        raise BundleError(
            f"{target} is {'a mount point' if place.is_mount() else 'the current folder'}, which cannot be replaced as "
            "a whole: empty it first, or choose another folder"
        )


def content(folder: Path) -> list[str]:
    """Returns the names in a folder, without what an unfinished run has there; none if there is no folder.

    Raises:
        BundleError: the folder cannot be read.
    """
    try:
        return [name for name in os.listdir(folder) if not name.startswith(UNFINISHED)] if folder.exists() else []  # noqa: PTH208 -- names alone
    except OSError as error:
        raise BundleError(f"{folder} cannot be read ({error.strerror}): choose another folder") from error


UNFINISHED = ".unfinished-"
"""Beginning of the names of folders that are being written inside an empty folder which is to be filled."""


def _exported_names(folder: Path) -> set[str]:
    """Returns the names of the files that make the folder an exported model; none if it is not one."""
    listed = _json_object(folder / MANIFEST_FILE).get("files")
    if isinstance(listed, dict) and set(REQUIRED_FILES) <= listed.keys():
        names = {*map(str, listed), MANIFEST_FILE, UNFINISHED_MANIFEST_FILE}
    elif _json_object(folder / CONFIG_FILE).get("model_type") == _MODEL_TYPE and (folder / MODEL_FILE).is_file():
        names = set(_OPTIMUM_FILES)
    else:
        return set()
    return {name for name in names if (folder / name).is_symlink() or (folder / name).is_file()}


def _json_object(path: Path) -> dict[str, object]:
    """Returns the JSON object that a file holds; an empty one if it holds no such thing."""
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            return {}
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _places_of(path: Path) -> Iterator[Path]:
    """Yields every place on which what a path names depends: links on the way to it, and to the files of a folder."""
    yield from _steps(path)
    if path.is_dir():
        with os.scandir(path) as entries:
            links = [entry.path for entry in entries if entry.is_symlink()]
        for link in links:
            yield from _steps(Path(link))


def _steps(path: Path) -> Iterator[Path]:
    """Yields the absolute path, each place that its links lead to, and the path without any links."""
    place = Path(os.path.abspath(path))  # noqa: PTH100 -- `resolve` would skip the links
    yield place
    for _ in range(_MOST_LINKS):
        if not place.is_symlink():
            break
        place = Path(os.path.normpath(place.parent.resolve() / place.readlink()))
        yield place
    yield Path(os.path.realpath(path))


def _is_same(first: Path, second: Path) -> bool:
    """Returns True if both exist and are one file or folder, whatever their spelling."""
    try:
        return first.samefile(second)
    except (OSError, ValueError):
        return False
