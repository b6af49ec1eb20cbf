"""Preparing a corpus run: documents of many files become work units."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from biogpt_onnx._version import __version__
from biogpt_onnx.corpus.preparing.checksums import check_downloads
from biogpt_onnx.corpus.preparing.cutting import cut, write_units
from biogpt_onnx.corpus.preparing.inputs import FoundInputs, check_formats, find_inputs, written_name
from biogpt_onnx.corpus.preparing.reading import RowCounts, read_rows
from biogpt_onnx.corpus.run import (
    FOLDERS,
    FORMAT,
    INDEX_FILE,
    RUN_FILE,
    TASK_FILE,
    UNITS_FOLDER,
    VERSION,
    digest_of,
)
from biogpt_onnx.corpus.settings import CorpusSettings
from biogpt_onnx.files.formats import FORMATS, Format
from biogpt_onnx.files.text.columns import Columns
from biogpt_onnx.runtime.bundle.writer import atomic_folder
from biogpt_onnx.runtime.errors import ConfigError, DocumentError
from biogpt_onnx.runtime.system.files import flush, remove_file
from biogpt_onnx.tasks.definitions.identity import task_identity
from biogpt_onnx.tasks.definitions.reading import SUFFIX
from biogpt_onnx.tasks.entity_census import EntityCensus
from biogpt_onnx.tasks.registry import task_spec
from biogpt_onnx.tasks.relations import RelationTask
from biogpt_onnx.tasks.spec import SpecifiedTask

UNIT_DOCUMENTS = 1000
"""The number of documents of a unit by default: minutes of work, of which a crash loses one unit's at most."""

_ENTITIES = "entities"
_DEFAULT_SETTINGS = CorpusSettings()
_DEFAULT_COLUMNS = Columns()


@dataclass(frozen=True)
class Preparation:
    """What `prepare` made.

    Attributes:
        run: The run's folder.
        units: Number of work units.
        documents: Number of documents in them.
        problems: Number of these that are bad rows, whose records will be errors.
        superseded: Number of documents that were dropped because a newer version is there.
        deleted: Number of documents that were dropped because a later input deletes them.
        inputs: Number of files that were read.
        skipped: The files of folders that were not read, as their names stand for no format.
        skipped_members: Number of files in archives that were not read, for the same reason.
        compared: Number of files that were compared with a checksum beside them.
        warning: The reason why the entities that the input names give no relations; None if they may.
    """

    run: Path
    units: int
    documents: int
    problems: int
    superseded: int
    deleted: int
    inputs: int
    skipped: tuple[Path, ...]
    skipped_members: int = 0
    compared: int = 0
    warning: str | None = None


def prepare(  # noqa: PLR0913 -- what, where to, for what, and how
    inputs: Iterable[str | os.PathLike[str]],
    run: str | os.PathLike[str],
    task: str | os.PathLike[str],
    *,
    settings: CorpusSettings = _DEFAULT_SETTINGS,
    unit_documents: int = UNIT_DOCUMENTS,
    file_format: Format | None = None,
    columns: Columns = _DEFAULT_COLUMNS,
    keep_duplicates: bool = False,
    progress: Callable[[int, int], None] = lambda _, __: None,
) -> Preparation:
    """Reads documents into the work units of a new run.

    Documents are in the order of the inputs. Of documents with one id the newest counts: that of the highest version,
    and among equal ones the last; what a PubMed file deletes is dropped unless it comes again. Units hold about the
    same number of tokens, which are estimated by characters. The folder appears when it is complete, or not at all.
    Files with a checksum beside them (`FILE.md5`) are compared with it first.

    Args:
        inputs: Files, folders with all that is below them, and patterns such as `*.xml.gz`; all of one format. Of tar
            archives (`.tar`, `.tar.gz`, `.tgz`) the members are read.
        run: The folder to make.
        task: The name of a task, or the path of a TOML file that defines one, which is copied.
        settings: The settings that determine the results.
        unit_documents: The number of documents that a unit has on average, at most.
        file_format: The format of the inputs; None for the one that their contents or names show.
        columns: The names of the fields of JSON and tables.
        keep_duplicates: True to keep documents that share an id, and those that were deleted.
        progress: Called with the number of inputs that were read, and of all.

    Returns:
        What was made.

    Raises:
        ConfigError: There is no such task, or a setting has a bad value.
        DocumentError: An input is missing, damaged, not what its checksum is of, or of another format than the others,
            or there is no document.
        BundleError: The folder exists, or cannot be written.
    """
    if type(unit_documents) is not int or unit_documents < 1:
        raise ConfigError(f"unit_documents is {unit_documents!r}: give a whole number of 1 or more")
    if file_format is not None and file_format not in FORMATS:
        raise ConfigError(f"file_format is {file_format!r}: give one of {', '.join(FORMATS)}")
    run, task = Path(run), os.fspath(task)
    chosen, definition = _chosen(task, settings)
    names = [os.fspath(each) for each in inputs]
    _check_place(run, names)
    found = find_inputs(names)
    compared = check_downloads(found.files)
    known = file_format or check_formats(found.files)
    if settings.given_entities:
        columns = replace(columns, entities=columns.entities or _ENTITIES)
    census = EntityCensus(chosen) if settings.given_entities and isinstance(chosen, RelationTask) else None
    with atomic_folder(run) as folder:
        for name in FOLDERS:
            (folder / name).mkdir()
        read = read_rows(
            found.files,
            known,
            columns,
            folder,
            keep_duplicates=keep_duplicates,
            progress=progress,
            seen=(lambda _: None) if census is None else census.count,
        )
        counts = read.counts
        if not counts.documents:
            raise DocumentError(f"the inputs hold no document ({_dropped(counts)}): name others")
        units = cut(read.lines(), counts.documents, counts.characters, unit_documents)
        num_units = sum(1 for _ in write_units(units, folder / UNITS_FOLDER, folder / INDEX_FILE))
        remove_file(read.path)
        if definition is not None:
            (folder / TASK_FILE).write_bytes(definition)
        description = {
            "format": FORMAT,
            "version": VERSION,
            "package": __version__,
            "task": {
                "name": chosen.name,
                "definition_sha256": None if definition is None else hashlib.sha256(definition).hexdigest(),
                "identity": task_identity(chosen),
            },
            "settings": settings.to_json(),
            "reading": {
                "format": known,
                "columns": columns.__dict__,
                "unit_documents": unit_documents,
                "keep_duplicates": keep_duplicates,
            },
            "documents": counts.documents,
            "bad_rows": counts.problems,
            "characters": counts.characters,
            "dropped": {"superseded": counts.superseded, "deleted": counts.deleted},
            "units": num_units,
            "units_sha256": digest_of(folder / INDEX_FILE),
            "inputs": read.inputs,
            "skipped": [written_name(path) for path in found.skipped],
            "skipped_members": counts.skipped_members,
        }
        _write(folder / RUN_FILE, description)
    return _preparation(run, num_units, counts, found, compared, census)


def _chosen(task: str, settings: CorpusSettings) -> tuple[SpecifiedTask, bytes | None]:
    """Returns the task with its settings, and the content of the file that defines it, if one does."""
    definition = Path(task).read_bytes() if task.lower().endswith(SUFFIX) else None
    return settings.of_task(task_spec(task).task), definition


def _check_place(run: Path, inputs: list[str]) -> None:
    if run.exists() and not (run.is_dir() and not any(run.iterdir())):
        raise DocumentError(f"{run} is there already: name another folder, or remove it with all its results")
    for name in inputs:
        if name and Path(name).is_dir() and run.resolve().is_relative_to(Path(name).resolve()):
            raise DocumentError(f"{run} would lie in {name}, which is read: name another folder")


def _write(path: Path, description: dict[str, Any]) -> None:
    with path.open("x", encoding="utf-8", newline="\n") as stream:
        json.dump(description, stream, ensure_ascii=False, indent=2)
        stream.write("\n")
        stream.flush()
        flush(stream.fileno())


def _dropped(counts: RowCounts) -> str:
    if counts.superseded or counts.deleted:
        return f"{counts.superseded:,} old versions and {counts.deleted:,} that were deleted were dropped"
    return "they are empty"


def _preparation(  # noqa: PLR0913, PLR0917 -- all that is known
    run: Path, num_units: int, counts: RowCounts, found: FoundInputs, compared: int, census: EntityCensus | None
) -> Preparation:
    return Preparation(
        run,
        num_units,
        counts.documents,
        counts.problems,
        counts.superseded,
        counts.deleted,
        len(found.files),
        found.skipped,
        counts.skipped_members,
        compared,
        None if census is None else census.problem(),
    )
