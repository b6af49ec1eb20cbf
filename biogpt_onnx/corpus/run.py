"""The folder of a corpus run: its files, what they are called, and its description."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biogpt_onnx.corpus.settings import CorpusSettings
from biogpt_onnx.runtime.errors import ConfigError, DocumentError
from biogpt_onnx.tasks.definitions.identity import task_identity
from biogpt_onnx.tasks.registry import task_spec
from biogpt_onnx.tasks.spec import SpecifiedTask

FORMAT = "biogpt-onnx corpus run"
VERSION = 1
"""The version of the format; a change that older versions of the package cannot read raises it."""

RUN_FILE = "run.json"
INDEX_FILE = "units.jsonl"
TASK_FILE = "task.toml"
BUNDLE_FILE = "bundle.json"
UNITS_FOLDER = "units"
RESULTS_FOLDER = "results"
CLAIMS_FOLDER = "claims"
TRIES_FOLDER = "tries"
SET_ASIDE_FOLDER = "set-aside"
FOLDERS = (UNITS_FOLDER, RESULTS_FOLDER, CLAIMS_FOLDER, TRIES_FOLDER, SET_ASIDE_FOLDER)

UNIT_SUFFIX = ".jsonl"


@dataclass(frozen=True)
class Unit:
    """A work unit: documents that are answered together and whose results appear together.

    Attributes:
        number: The number of the unit, from 0.
        documents: Number of its documents.
        characters: Number of their characters, from which their tokens are estimated.
        sha256: Digest of the unit's file.
    """

    number: int
    documents: int
    characters: int
    sha256: str

    @property
    def name(self) -> str:
        """The name of the unit, as files of the run and messages have it."""
        return f"{self.number:06d}"


@dataclass(frozen=True)
class Run:
    """A corpus run that `prepare` made.

    Attributes:
        folder: The run's folder.
        description: The content of `run.json`.
        digest: Digest of `run.json`, by which results know the run that they belong to.
        units: The work units, in the order of the input.
    """

    folder: Path
    description: Mapping[str, Any]
    digest: str
    units: tuple[Unit, ...]

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> "Run":
        """Reads the description of a run.

        Raises:
            DocumentError: The folder is no run, its description is damaged, or it is of a newer version.
        """
        folder = Path(folder)
        content = _read(folder)
        description = _description(folder, content)
        units = tuple(_units(folder, description))
        return cls(folder, description, hashlib.sha256(content).hexdigest(), units)

    @property
    def num_documents(self) -> int:
        """Number of documents of all units."""
        return sum(unit.documents for unit in self.units)

    @property
    def settings(self) -> CorpusSettings:
        """The settings that determine the results.

        Raises:
            DocumentError: They are damaged.
        """
        try:
            return CorpusSettings.from_json(self.description["settings"])
        except (ConfigError, KeyError, TypeError) as error:
            raise damaged(self.folder / RUN_FILE) from error

    def task(self) -> SpecifiedTask:
        """Returns the task with the run's settings.

        Raises:
            ConfigError: This version of the package knows no such task, or another one by its name.
            DocumentError: The task's definition is not as it was when the run was prepared.
        """
        described = self.description.get("task", {})
        definition = described.get("definition_sha256")
        if definition is not None:
            path = self.folder / TASK_FILE
            if digest_of(path) != definition:
                raise damaged(path)
            task = task_spec(path).task
        else:
            task = task_spec(str(described.get("name"))).task
        task = self.settings.of_task(task)
        identity = task_identity(task)
        if identity != described.get("identity"):
            names = [name for name, value in identity.items() if described.get("identity", {}).get(name) != value]
            raise ConfigError(
                f"the task {task.name} of this version of the package differs from the one that {self.folder} was "
                f"prepared for ({', '.join(names)}): use version {self.description.get('package')}, or prepare the run "
                "again"
            )
        return task

    def unit_file(self, unit: Unit) -> Path:
        """Returns the file of a unit's documents."""
        return self.folder / UNITS_FOLDER / f"{unit.name}{UNIT_SUFFIX}"

    def result_file(self, unit: Unit) -> Path:
        """Returns the file of a unit's results, which exists once the unit is done."""
        return self.folder / RESULTS_FOLDER / f"{unit.name}{UNIT_SUFFIX}"

    def input_name(self, number: int) -> str:
        """Returns the name of an input, as it was found."""
        return str(self.description["inputs"][number]["name"])


def digest_of(path: Path) -> str | None:
    """Returns the SHA-256 digest of a file; None if it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


def damaged(path: Path) -> DocumentError:
    """Returns the error of a file that was changed since the run was prepared."""
    return DocumentError(f"{path} is not as it was prepared: restore it, or prepare the run again")


def _read(folder: Path) -> bytes:
    remedy = "name a folder that `biogpt-onnx corpus prepare` made"
    if not folder.is_dir():
        raise DocumentError(f"there is no folder {folder}: {remedy}")
    try:
        return (folder / RUN_FILE).read_bytes()
    except FileNotFoundError as error:
        raise DocumentError(f"{folder} is no corpus run, as it holds no {RUN_FILE}: {remedy}") from error
    except OSError as error:
        raise DocumentError(f"{folder / RUN_FILE} cannot be read ({error.strerror or error}): {remedy}") from error


def _description(folder: Path, content: bytes) -> dict[str, Any]:
    path = folder / RUN_FILE
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise damaged(path) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise DocumentError(f"{path} describes no corpus run: name a folder that `biogpt-onnx corpus prepare` made")
    version = found.get("version")
    if not isinstance(version, int) or version < 1:
        raise damaged(path)
    if version > VERSION:
        raise DocumentError(
            f"{folder} is a run of version {version}, and this package reads up to version {VERSION}: install "
            f"biogpt-onnx {found.get('package', '')} or later"
        )
    return found


def _units(folder: Path, description: Mapping[str, Any]) -> Iterator[Unit]:
    path = folder / INDEX_FILE
    if digest_of(path) != description.get("units_sha256"):
        raise damaged(path)
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield Unit(**json.loads(line))
