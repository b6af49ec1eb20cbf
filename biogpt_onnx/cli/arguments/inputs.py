"""Arguments that say how the input of a task's command is read."""

import argparse
import re
import sys
from contextlib import suppress
from dataclasses import dataclass

from biogpt_onnx.cli.arguments.names import non_empty
from biogpt_onnx.files.formats import FORMATS, STANDARD_INPUT, WITH_ENTITIES, WITH_FIELDS, Format
from biogpt_onnx.files.opening.source import is_stream
from biogpt_onnx.files.reading import detect_format
from biogpt_onnx.files.text.columns import FIELDS, Columns
from biogpt_onnx.runtime.errors import ConfigError

# A column's name may hold commas and equals signs.
_NEXT_FIELD = re.compile(rf",(?=\s*(?:{'|'.join(FIELDS)})\s*=)")
_ENTITIES = "entities"


@dataclass(frozen=True)
class Input:
    """The input of a task's command.

    Attributes:
        name: The file's name, or "-".
        format: The file's format; None for a stream whose content must show it.
        columns: The names of its fields.
    """

    name: str
    format: Format | None
    columns: Columns


def add_input_arguments(parser: argparse.ArgumentParser, rows: str) -> None:
    """Adds the input file, its format and the names of its fields.

    Args:
        parser: The command's parser.
        rows: The help's words for the rows of the input.
    """
    parser.add_argument(
        "file",
        type=non_empty,
        nargs="?",
        default=STANDARD_INPUT,
        metavar="FILE",
        help=f"{rows}; - or nothing for standard input",
    )
    add_field_arguments(parser)


def add_field_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the format of the input, and the names of its fields."""
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="of the file (by default what its content shows, else what its name says; standard input: text, one a "
        "line)",
    )
    parser.add_argument(
        "--fields",
        action="append",
        default=[],
        metavar="FIELD=NAME,...",
        help=f"what the fields are called ({', '.join(FIELDS)}), such as text=abstract,id=PMID; a column of a table "
        "may be a number",
    )
    parser.add_argument("--no-header", action="store_true", help="the first row of the table is a document")


def task_input(options: argparse.Namespace) -> Input:
    """Returns the input that the options name; a note on standard error says where content and name disagree.

    Raises:
        ConfigError: The options contradict each other or the file's format.
        DocumentError: The file cannot be read, or its format is not known.
    """
    columns = columns_of(options)
    found: Format | None = options.format
    if found is None and not is_stream(options.file):
        detected = detect_format(options.file)
        found = detected.format
        if detected.by_name is not None:
            with suppress(OSError):
                print(
                    f"note: {options.file} is read as {found}, which its content is; --format {detected.by_name} reads "
                    "it as its name says",
                    file=sys.stderr,
                )
    if found is not None:
        _check_format(options, found)
    return Input(options.file, found, columns)


def columns_of(options: argparse.Namespace) -> Columns:
    """Returns the names of the fields that the options give.

    Raises:
        ConfigError: The options contradict each other.
    """
    given = [each for text in options.fields for each in _NEXT_FIELD.split(text)]
    fields: dict[str, str] = {}
    for each in given:
        field, _, name = (part.strip() for part in each.partition("="))
        if field not in FIELDS or not name:
            raise ConfigError(f"--fields {each!r}: give FIELD=NAME, where FIELD is one of {', '.join(FIELDS)}")
        if field in fields:
            raise ConfigError(f"--fields names {field} twice, {fields[field]!r} and {name!r}: keep one of them")
        fields[field] = name
    with_entities, with_conclusion = _asked(options, "given_entities"), _asked(options, "with_conclusion")
    if _ENTITIES in fields and not with_entities:
        raise ConfigError("--fields names entities, which --given-entities alone reads: say that too, or leave it out")
    if "conclusion" in fields and not with_conclusion:
        raise ConfigError(
            "--fields names a conclusion, which --with-conclusion alone reads: say that too, or leave it out"
        )
    if with_entities:
        fields.setdefault(_ENTITIES, _ENTITIES)
    return Columns(**fields, with_conclusion=with_conclusion, header=not options.no_header)


def _check_format(options: argparse.Namespace, found: Format) -> None:
    if _asked(options, "given_entities") and found not in WITH_ENTITIES:
        raise ConfigError(
            "--given-entities needs a file that names them: give PubTator, BioC, or JSON lines or Parquet with a field "
            "entities"
        )
    if _asked(options, "with_conclusion") and found not in WITH_FIELDS:
        raise ConfigError(
            f"--with-conclusion needs a field conclusion, which {found} has no place for: give JSON or a table"
        )
    if options.fields and found not in WITH_FIELDS:
        raise ConfigError(f"--fields names the fields of JSON and tables, {found} has none: leave it out")
    if options.no_header and found not in {"csv", "tsv"}:
        raise ConfigError(f"--no-header is for tables, {options.file} is {found}: leave it out, or say --format")


def _asked(options: argparse.Namespace, name: str) -> bool:
    """Returns an option that not every command has."""
    return bool(getattr(options, name, False))
