"""Arguments of given entities: other names of their types, and the warning where a file names none that is wanted."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress

from biogpt_onnx.files.rows import Row
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.tasks import RelationTask
from biogpt_onnx.tasks.definitions.own_types import with_type_names
from biogpt_onnx.tasks.entity_census import EntityCensus


def add_entity_types(parser: argparse.ArgumentParser) -> None:
    """Adds --entity-type."""
    parser.add_argument(
        "--entity-type",
        action="append",
        default=[],
        metavar="TYPE=NAME",
        help="with --given-entities: what the file calls a type of the task, such as Chemical=T103; may be repeated",
    )


def with_entity_types(task: RelationTask, options: argparse.Namespace) -> RelationTask:
    """Returns a task that also knows its types by the names that --entity-type gives.

    Raises:
        ConfigError: An argument is malformed, the task has no such type, or --given-entities is missing.
    """
    return with_type_names(task, entity_types_of(options))


def entity_types_of(options: argparse.Namespace) -> tuple[tuple[str, str], ...]:
    """Returns the pairs of a type and a name of it that --entity-type gives.

    Raises:
        ConfigError: An argument is malformed, or --given-entities is missing.
    """
    if options.entity_type and not options.given_entities:
        raise ConfigError("--entity-type names types of --given-entities: add that option, or leave this one out")
    pairs = []
    for argument in options.entity_type:
        kind, equals, name = argument.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"--entity-type is {argument!r}: give a type of the task and the file's, Chemical=T103")
        pairs.append((kind.strip(), name.strip()))
    return tuple(pairs)


class FileCensus:
    """A census of the entities that a file names, which warns of a file that a task makes nothing of.

    Args:
        task: The task.
        file: The file's name in the warning.
    """

    def __init__(self, task: RelationTask, file: str) -> None:
        self._census, self._file = EntityCensus(task), file

    def counted(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yields rows unchanged, and counts the types of their entities."""
        for row in rows:
            if row.document is not None:
                self._census.count(row.document)
            yield row

    def warn(self) -> None:
        """Writes a warning to standard error if no entity is of one of the task's types."""
        warn_of(self._file, self._census.problem())


def warn_of(file: str, problem: str | None) -> None:
    """Writes to standard error what is wrong with the entities of a file, if anything is."""
    if problem is not None:
        with suppress(OSError):
            print(f"warning: {file} {problem}", file=sys.stderr, flush=True)
