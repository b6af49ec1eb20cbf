"""Input formats, and the endings of file names that stand for them."""

from typing import Literal, get_args

from biogpt_onnx.runtime.errors import DocumentError

Format = Literal["text", "jsonl", "csv", "tsv", "pubtator", "bioc", "biocjson"]
"""A document a line; a JSON object a line; tables with a header; PubTator; BioC as XML and as JSON."""

FORMATS: tuple[Format, ...] = get_args(Format)

NAMELESS: tuple[Format, ...] = ("text", "csv", "tsv")
"""The formats that have no place for named entities."""

WITH_FIELDS: tuple[Format, ...] = ("jsonl", "csv", "tsv")
"""The formats whose documents have named fields."""

STANDARD_INPUT = "-"
"""The name that stands for standard input."""

# The longer suffix comes first.
_SUFFIXES: dict[str, Format] = {
    ".pubtator.txt": "pubtator",
    ".pubtator": "pubtator",
    ".txt": "text",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".xml": "bioc",
    ".json": "biocjson",
}


def format_of(name: str) -> Format:
    """Returns the format that the ending of a file's name stands for.

    Raises:
        DocumentError: The ending stands for none.
    """
    lowered = name.lower()
    for suffix, file_format in _SUFFIXES.items():
        if lowered.endswith(suffix):
            return file_format
    raise DocumentError(
        f"{name} does not say by its ending what it holds: give its format, one of {', '.join(FORMATS)}"
    )
