"""The forms in which documents come in files, and how a file's name says which."""

from typing import Literal, get_args

from biogpt_onnx.runtime.errors import DocumentError

Format = Literal["text", "jsonl", "csv", "tsv", "pubtator", "bioc", "biocjson"]
"""One document a line; one JSON object a line; tables with a header; PubTator; BioC as XML and as JSON."""

FORMATS: tuple[Format, ...] = get_args(Format)

NAMELESS: tuple[Format, ...] = ("text", "csv", "tsv")
"""Those that have no place for what a document names."""

STANDARD_INPUT = "-"
"""What stands for it where a file is named."""

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
    """The format that the name of a file stands for.

    Raises:
        DocumentError: it stands for none.
    """
    lowered = name.lower()
    for suffix, file_format in _SUFFIXES.items():
        if lowered.endswith(suffix):
            return file_format
    raise DocumentError(
        f"{name} does not say by its ending what it holds: give its format, one of {', '.join(FORMATS)}"
    )
