"""Reading BioC XML one document at a time, from files that need not be trusted."""

import io
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from biogpt_onnx.files import rows
from biogpt_onnx.files.bioc.documents import row_of
from biogpt_onnx.files.bioc.library import import_bioc
from biogpt_onnx.files.rows import Row, RowError
from biogpt_onnx.runtime.errors import DocumentError

_CHUNK_BYTES = 1 << 16
_ROOT, _DOCUMENT = "collection", "document"
_DOCUMENT_DEPTH = 2


def read_bioc_xml(stream: io.BufferedReader, name: str) -> Iterator[Row]:
    """Reads the documents of a BioC XML file.

    No other file is opened and no connection made, whatever the file refers to; declarations of entities are refused.

    Raises:
        DocumentError: The file is not well-formed, is no BioC or declares entities, or the library bioc is not
            installed.
    """
    bioc = import_bioc()
    for number, found in enumerate(_documents(stream, name), start=1):
        if found.problem is not None:
            yield Row(number, None, found.problem)
            continue
        try:
            collection = bioc.biocxml.loads(f"<{_ROOT}>{found.xml}</{_ROOT}>")
            yield row_of(number, collection.documents[0])
        except RowError as error:
            yield Row(number, None, str(error))
        # The library raises these for missing elements and attributes, malformed numbers and exceeded limits of XML.
        except (AttributeError, KeyError, SyntaxError, TypeError, ValueError) as error:
            yield Row(number, None, f"the document is no BioC ({type(error).__name__}: {error}): mend it")


def check_bioc_xml(stream: io.BufferedReader, name: str) -> None:
    """Reads a file to its end, to refuse one that cannot be read before other work is done.

    Raises:
        DocumentError: The file cannot be read; see `read_bioc_xml`.
    """
    deque(_documents(stream, name), maxlen=0)


def _documents(stream: io.BufferedReader, name: str) -> Iterator["_Found"]:
    divider = _Divider(name)
    while chunk := stream.read(_CHUNK_BYTES):
        divider.feed(chunk)
        yield from divider.take()
    divider.feed(b"", is_last=True)
    yield from divider.take()


class _Found(NamedTuple):
    xml: str
    problem: str | None


class _Divider:
    """Divides a collection into documents, each written anew as XML of its own without entities."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._found: list[_Found] = []
        self._depth = 0
        self._is_inside = False
        self._pieces: list[str] = []
        self._size = 0
        self._problem: str | None = None
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.EntityDeclHandler = self._refuse_entity
        parser.SkippedEntityHandler = self._skip_entity
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text

    def feed(self, data: bytes, *, is_last: bool = False) -> None:
        try:
            self._parser.Parse(data, is_last)
        except DocumentError:
            raise
        # The file is not well-formed, or in an encoding that does not exist or that the parser does not know.
        except (expat.ExpatError, LookupError, ValueError) as error:
            raise DocumentError(f"{self._name} is not well-formed XML ({error}): mend it") from error

    def take(self) -> list[_Found]:
        found, self._found = self._found, []
        return found

    def _refuse_entity(self, name: str, *_: object) -> None:
        raise DocumentError(
            f"{self._name} declares the entity {name}, which BioC has no use for: write out what it stands for"
        )

    def _skip_entity(self, name: str, _is_parameter: bool) -> None:  # noqa: FBT001 -- the parser's own form
        self._problem = self._problem or f"the entity &{name}; is not known: write out what it stands for"

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1 and tag != _ROOT:
            raise DocumentError(f"{self._name} is XML, but no BioC: its root is <{tag}>, not <{_ROOT}>")
        if self._depth == _DOCUMENT_DEPTH and tag == _DOCUMENT:
            self._is_inside, self._pieces, self._size, self._problem = True, [], 0, None
        self._add(f"<{tag}{''.join(f' {key}={quoteattr(value)}' for key, value in attributes.items())}>")

    def _text(self, text: str) -> None:
        # An unescaped carriage return would be read as a new line.
        self._add(escape(text, {"\r": "&#13;"}))

    def _end(self, tag: str) -> None:
        self._add(f"</{tag}>")
        if self._depth == _DOCUMENT_DEPTH and self._is_inside:
            self._found.append(_Found("".join(self._pieces), self._problem))
            self._is_inside, self._pieces = False, []
        self._depth -= 1

    def _add(self, piece: str) -> None:
        if not self._is_inside or self._problem is not None:
            return
        self._size += len(piece)
        self._pieces.append(piece)
        if self._size > rows.MAX_ROW_BYTES:
            self._pieces = []
            self._problem = f"the document takes more than {rows.MAX_ROW_BYTES:,} characters of XML: divide it"
