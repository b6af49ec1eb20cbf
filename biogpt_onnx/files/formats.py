"""Formats of input, and the endings of file names that stand for them."""

from typing import Literal, get_args

from biogpt_onnx.runtime.errors import DocumentError

Format = Literal["text", "jsonl", "json", "csv", "tsv", "pubtator", "bioc", "biocjson", "pubmed", "jats", "parquet"]
"""A document a line; a JSON object a line; a JSON array of objects, or an object of objects by their ids; tables;
PubTator; BioC as XML and as JSON; PubMed's XML; JATS, the XML of PubMed Central; and Parquet."""

FORMATS: tuple[Format, ...] = get_args(Format)

WITH_FIELDS: tuple[Format, ...] = ("jsonl", "json", "csv", "tsv", "parquet")
"""The formats whose documents have named fields."""

WITH_ENTITIES: tuple[Format, ...] = ("jsonl", "json", "parquet", "pubtator", "bioc", "biocjson")
"""The formats that have a place for named entities."""

STANDARD_INPUT = "-"
"""The name that stands for standard input."""

COMPRESSED = ".gz"
"""The ending that the name of a compressed file adds."""

# The longer suffix comes first.
_SUFFIXES: dict[str, Format] = {
    ".pubtator.txt": "pubtator",
    ".pubtator": "pubtator",
    ".txt": "text",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".nxml": "jats",
    ".xml": "bioc",
    ".json": "biocjson",
}

_SAME_NAMES: dict[Format, tuple[Format, ...]] = {
    "bioc": ("bioc", "pubmed", "jats"),
    "biocjson": ("biocjson", "json"),
}


def format_of(name: str) -> Format:
    """Returns the format that the ending of a file's name stands for, with or without `.gz` behind it.

    Raises:
        DocumentError: The ending stands for none.
    """
    lowered = name.lower().removesuffix(COMPRESSED)
    for suffix, file_format in _SUFFIXES.items():
        if lowered.endswith(suffix):
            return file_format
    raise DocumentError(
        f"{name} does not say by its ending what it holds: give its format, one of {', '.join(FORMATS)}"
    )


def may_be(by_name: Format) -> tuple[Format, ...]:
    """Returns the formats that files of the same name may as well have: `.xml` and `.json` say little."""
    return _SAME_NAMES.get(by_name, (by_name,))
