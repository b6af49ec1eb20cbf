"""JSON Lines: an object a line, for documents and for results."""

import io
import json
from collections.abc import Iterator
from typing import Any

from biogpt_onnx.files.columns import Columns
from biogpt_onnx.files.item import Item, RowError
from biogpt_onnx.files.lines import items_of_lines
from biogpt_onnx.files.records import Record

# JSON may hold these as they are, but much that reads lines takes them for the ends of lines.
_LINE_BREAKS = {ord(character): f"\\u{ord(character):04x}" for character in "\x85\u2028\u2029"}


def read_json_lines(stream: io.BufferedReader, name: str, columns: Columns) -> Iterator[Item]:
    """The documents of a file of JSON lines; blank lines are skipped.

    Raises:
        DocumentError: it is no text.
    """
    return items_of_lines(stream, name, lambda line: columns.document(json_object(line)))


def json_object(text: str) -> dict[str, Any]:
    """An object that is written as JSON.

    Raises:
        RowError: it is something else.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise RowError(f"it is no JSON ({error.msg}, character {error.pos + 1}): mend it") from error
    except ValueError as error:
        raise RowError(f"it is no JSON that can be read ({error}): mend it") from error
    except RecursionError as error:
        raise RowError("its JSON is nested too deeply: give an object of plain fields") from error
    if not isinstance(value, dict):
        raise RowError("it is JSON, but no object: give an object of plain fields")
    return value


def json_line(record: Record) -> str:
    """A record on a line of its own, whose end is part of it."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False).translate(_LINE_BREAKS) + "\n"


class JsonLines:
    """Results as JSON Lines; see `OutputFormat`."""

    keeps_documents = False

    def beginning(self) -> str:
        """Nothing."""
        return ""

    def of(self, record: Record) -> str:
        """The record as a line."""
        return json_line(record)

    def end(self) -> str:
        """Nothing."""
        return ""
