"""JSON Lines, an object a line: reading documents and writing results."""

import io
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from biogpt_onnx.files.records import Record
from biogpt_onnx.files.rows import RowError
from biogpt_onnx.files.text.fields import FieldRow
from biogpt_onnx.files.text.lines import lines_of

# JSON may hold these unescaped, but many readers of lines take them for the ends of lines.
_LINE_BREAKS = {character: f"\\u{ord(character):04x}" for character in "\x85\u2028\u2029"}
# Made once: the functions of the library make a new one for each value.
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


def read_json_lines(stream: io.BufferedReader, name: str) -> Iterator[FieldRow]:
    """Reads the rows of a file of JSON lines; blank lines are skipped.

    Raises:
        DocumentError: The file is no text.
    """
    for line in lines_of(stream, name):
        if line.problem is not None:
            yield FieldRow(line.number, {}, line.problem)
        elif line.content.strip():
            try:
                yield FieldRow(line.number, json_object(line.content))
            except RowError as error:
                yield FieldRow(line.number, {}, str(error))


def json_object(text: str) -> dict[str, Any]:
    """Parses a JSON object.

    Raises:
        RowError: The text is no JSON object, or an object in it has a field twice.
    """
    try:
        # A plain dictionary keeps the last of two fields with one name, and nobody notices.
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise RowError(f"it is no JSON ({error.msg}, character {error.pos + 1}): mend it") from error
    except ValueError as error:
        raise RowError(f"it is no JSON that can be read ({error}): mend it") from error
    except RecursionError as error:
        raise RowError("its JSON is nested too deeply: give an object of plain fields") from error
    if not isinstance(value, dict):
        raise RowError("it is JSON, but no object: give an object of plain fields")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((name, times),) = Counter(name for name, _ in pairs).most_common(1)
        raise RowError(f"it has the field {name[:60]!r} {times} times in one object: keep one of them")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)


def json_line(record: Record) -> str:
    """Returns a record as a line of JSON, with the line's ending."""
    line = _ENCODER.encode(record)
    for character, escaped in _LINE_BREAKS.items():
        # Hardly any text has one, and to look is much faster than to replace.
        if character in line:
            line = line.replace(character, escaped)
    return f"{line}\n"


class JsonLines:
    """Results as JSON Lines; see `OutputFormat`."""

    needs_documents = False

    def header(self) -> str:
        """Returns nothing: JSON Lines has no header."""
        return ""

    def format_record(self, record: Record) -> str:
        """Returns the record as a line."""
        return json_line(record)

    def footer(self) -> str:
        """Returns nothing: JSON Lines has no footer."""
        return ""
