"""Reading BioC JSON, either a collection or a document a line."""

import io
import json
from collections.abc import Iterator
from itertools import count
from types import ModuleType

from biogpt_onnx.files.bioc.documents import row_of
from biogpt_onnx.files.bioc.library import import_bioc
from biogpt_onnx.files.rows import Row, RowError
from biogpt_onnx.files.text.json_lines import json_object
from biogpt_onnx.files.text.lines import lines_of
from biogpt_onnx.runtime.errors import DocumentError

# The names of the list of documents; the second is that of PubTator 3.
_LISTS = ("documents", "PubTator3")


def read_bioc_json(stream: io.BufferedReader, name: str) -> Iterator[Row]:
    """Reads the documents of a BioC JSON file.

    A file with a document a line is read line by line; a collection is in memory as a whole.

    Raises:
        DocumentError: The file is no JSON or no BioC, or the library bioc is not installed.
    """
    bioc = import_bioc()
    # A collection may be one line of any length.
    beginning = stream.readline()
    value = _json(beginning)
    numbers = count(1)
    if isinstance(value, dict) and "passages" in value:
        yield _row(bioc, next(numbers), value)
        for line in lines_of(stream, name):
            if line.problem is not None:
                yield Row(next(numbers), None, line.problem)
            elif line.content.strip():
                yield _row_of_line(bioc, next(numbers), line.content)
        return
    rest = stream.read()
    if value is None or rest.strip():
        value = _whole(beginning + rest, name)
    for document in _documents(value, name):
        yield _row(bioc, next(numbers), document)


def _json(data: bytes) -> object:
    """Returns the value of these bytes; None if they are no JSON by themselves."""
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value


def _whole(data: bytes, name: str) -> object:
    try:
        value: object = json.loads(data)
    except UnicodeDecodeError as error:
        raise DocumentError(f"{name} is not UTF-8: save it as UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"{name} is no JSON ({error}): mend it") from error
    return value


def _documents(value: object, name: str) -> list[object]:
    if isinstance(value, list):
        return [document for each in value for document in _documents(each, name)]
    if isinstance(value, dict):
        for key in _LISTS:
            if isinstance(value.get(key), list):
                return list(value[key])
        if "passages" in value:
            return [value]
    raise DocumentError(f"{name} is JSON, but no BioC: give a collection with a list of documents")


def _row_of_line(bioc: ModuleType, number: int, content: str) -> Row:
    try:
        return _row(bioc, number, json_object(content))
    except RowError as error:
        return Row(number, None, str(error))


def _row(bioc: ModuleType, number: int, document: object) -> Row:
    try:
        return row_of(number, bioc.biocjson.fromJSON(document, "BioCDocument"))
    except RowError as error:
        return Row(number, None, str(error))
    except KeyError as error:
        return Row(number, None, f"the document is no BioC: it lacks the field {error.args[0]}")
    # The library raises these for a list where there should be an object, and the like.
    except (AttributeError, TypeError, ValueError) as error:
        return Row(number, None, f"the document is no BioC ({type(error).__name__}: {error}): mend it")
