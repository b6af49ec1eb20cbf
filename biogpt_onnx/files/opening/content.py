"""Telling a file's format by its content, which says more than its name."""

import json
import re
from collections.abc import Mapping
from typing import Any

from biogpt_onnx.files.formats import Format
from biogpt_onnx.files.text.columns import TEXT_NAMES

PARQUET = b"PAR1"
"""The first and the last bytes of every Parquet file."""

_BYTE_ORDER_MARK = "\ufeff"
_PUBTATOR = re.compile(r"[^|\t\n\r]{0,200}\|[ta]\|")
# PubMedQA's table, as in Microsoft's repository: a text of three parts, a tab, and the answer.
_QUESTION = re.compile(r"question:[^\t]* context:[^\t]*\t", re.IGNORECASE)

# What may stand before the root element. It is never tried in two ways, so that it takes linear time.
_PROLOG = r"(?:\s++|(?><\?.*?\?>)|(?><!--.*?-->)|<!DOCTYPE[^\[>]*+(?:>|(?>\[.*?\]\s*+>)))*+"
_ROOT = re.compile(rf"{_PROLOG}<(?:[\w.-]+:)?([\w.-]+)", re.DOTALL)
_ROOTS: dict[str, Format] = {
    "collection": "bioc",
    "PubmedArticleSet": "pubmed",
    "PubmedBookArticleSet": "pubmed",
    "PubmedArticle": "pubmed",
    "article": "jats",
    "pmc-articleset": "jats",
    "OAI-PMH": "jats",
}

# The fields of BioC's collections, of those of PubTator 3, and of a BioC document.
_BIOC_FIELDS = ("documents", "PubTator3", "passages")
_BIOC_LIST = re.compile(rf'"(?:{"|".join(_BIOC_FIELDS)})"\s*:\s*\[\s*[{{\]]')
_OBJECT_BY_ID = re.compile(r'\{\s*"[^"\\]*"\s*:\s*\{')
# The ends and the beginnings of lines between which a value of JSON goes on.
_OPEN, _CLOSED = ("{", "[", ",", ":"), (",", "}", "]", ":")


def format_by_content(head: bytes, *, is_whole: bool = False) -> Format | None:
    """Returns the format that the beginning of a file shows; None if it shows none, as that of a table does.

    Args:
        head: The beginning, of any length.
        is_whole: True if it is all of the file.
    """
    if head.startswith(PARQUET):
        return "parquet"
    text = head.decode("utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8", errors="replace")
    text = text.removeprefix(_BYTE_ORDER_MARK).lstrip()
    if text.startswith("<"):
        root = _ROOT.match(text)
        return None if root is None else _ROOTS.get(root[1])
    if text.startswith(("{", "[")):
        return _json_format(text, is_whole=is_whole)
    if _PUBTATOR.match(text):
        return "pubtator"
    return "tsv" if _QUESTION.match(text) else None


def json_object_of(line: bytes | str) -> dict[str, Any] | None:
    """Returns the JSON object that is all of a line; None if it is none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _json_format(text: str, *, is_whole: bool) -> Format | None:
    lines = [line.strip() for line in text.splitlines(keepends=True) if line.strip()]
    if not is_whole and not text.endswith(("\n", "\r")) and len(lines) > 1:
        # The last line may be cut.
        del lines[-1]
    if text.startswith("[") or _goes_on(lines):
        return "biocjson" if _BIOC_LIST.search(text) else "json"
    first = next((found for line in lines[:20] if (found := json_object_of(line)) is not None), None)
    if first is not None:
        if any(_is_list_of_objects(first.get(name)) for name in _BIOC_FIELDS):
            return "biocjson"
        if len(lines) > 1:
            return "jsonl"
        return _format_of_one(first)
    # One line of more than can be looked at, or no JSON.
    if len(lines) == 1 and _BIOC_LIST.search(text):
        return "biocjson"
    return "json" if len(lines) == 1 and _OBJECT_BY_ID.match(text) else None


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _goes_on(lines: list[str]) -> bool:
    """Returns True if the first line begins a value that the second one continues."""
    if len(lines) < 2 or json_object_of(lines[0]) is not None:  # noqa: PLR2004 -- a first and a second
        return False
    if lines[0].endswith("{"):
        return lines[1].startswith(('"', "}"))
    return lines[0].endswith(_OPEN) or lines[1].startswith(_CLOSED)


def _format_of_one(fields: Mapping[str, object]) -> Format | None:
    """Returns the format of an object that is all of a file: a document, or documents by their ids."""
    if any(name in fields for name in TEXT_NAMES):
        return "jsonl"
    return "json" if fields and all(isinstance(each, dict) for each in fields.values()) else None
