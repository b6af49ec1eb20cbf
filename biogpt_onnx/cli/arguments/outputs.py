"""Arguments that say where a task's results are written, and as what."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from biogpt_onnx.cli.arguments.names import non_empty_path
from biogpt_onnx.files.formats import COMPRESSED
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.system.streams import STANDARD_OUTPUT_NAMES

JSON_LINES = "jsonl"
"""The output format of every command."""

OUTPUT_NAMES: Mapping[str, str] = {
    ".jsonl": JSON_LINES,
    ".ndjson": JSON_LINES,
    ".pubtator": "pubtator",
    ".pubtator.txt": "pubtator",
    ".xml": "bioc",
    ".parquet": "parquet",
}
"""The formats of results that the endings of file names stand for."""

# Endings that promise a format in which nothing is written.
_OTHER = (
    *(".json", ".csv", ".tsv", ".arrow", ".feather", ".xlsx", ".xls", ".ods", ".html", ".md", ".yaml"),
    *(".yml", ".db", ".sqlite", ".pdf", ".docx", ".zip", ".bz2", ".xz", ".zst"),
)


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the output file and how an earlier one is treated."""
    parser.add_argument(
        "-o",
        "--output",
        type=non_empty_path,
        metavar="FILE",
        help="results go here, and an interrupted run goes on where it was; - or nothing for standard output; a name "
        "in .gz is compressed",
    )
    parser.add_argument("--restart", action="store_true", help="give up what an interrupted run has done")
    parser.add_argument("--overwrite", action="store_true", help="replace the output that is there")


def output_file(options: argparse.Namespace) -> Path | None:
    """Returns the file that results are written to; None for standard output."""
    return None if options.output is None or str(options.output) in STANDARD_OUTPUT_NAMES else options.output


def output_format(options: argparse.Namespace, formats: tuple[str, ...] = (JSON_LINES,)) -> str:
    """Returns the format that was asked for, or that the output's name stands for, or else JSON Lines.

    Args:
        options: The command's options.
        formats: The formats that the command writes.

    Raises:
        ConfigError: The name stands for a format that the command does not write.
    """
    asked = getattr(options, "output_format", None)
    output = output_file(options)
    if asked is not None or output is None:
        return asked or JSON_LINES
    name = output.name.lower().removesuffix(COMPRESSED)
    ending = next((ending for ending in (*OUTPUT_NAMES, *_OTHER) if name.endswith(ending)), "")
    found = OUTPUT_NAMES.get(ending, JSON_LINES)
    if ending in _OTHER or found not in formats:
        remedy = f"give it a name in {', '.join(end for end, form in OUTPUT_NAMES.items() if form in formats)}"
        more = ", or say --output-format" if len(formats) > 1 else ""
        raise ConfigError(f"{output} has a name in {ending}, but results are not written in that form: {remedy}{more}")
    return found
