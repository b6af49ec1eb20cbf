"""Reading BioC XML one document at a time, from files that need not be trusted."""

import io
import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from biogpt_onnx.files import rows
from biogpt_onnx.files.bioc.documents import row_of
from biogpt_onnx.files.bioc.xml_elements import document_of
from biogpt_onnx.files.rows import Row, RowError
from biogpt_onnx.runtime.errors import DocumentError

_CHUNK_BYTES = 1 << 16
_ROOT, _DOCUMENT = "collection", "document"
_DOCUMENT_DEPTH = 2
# A document of BioC has six; what is nested as deeply as this is none.
_MAX_DEPTH = 100
# What stands before the root. Nothing is matched twice, so that a hostile beginning costs no time.
_LOOKS = re.compile(
    rb"(?:\s++|<\?[^>]*+>|(?><!--.*?-->)|<!DOCTYPE[^>\[]*+(?:\[[^\]]*+\]\s*+)?+>)*+<collection\b", re.DOTALL
)


def looks_like_bioc_xml(beginning: bytes) -> bool:
    """Returns True if a file that begins like this is BioC XML: its root is a collection."""
    return _LOOKS.match(beginning.removeprefix(b"\xef\xbb\xbf")) is not None


def read_bioc_xml(stream: io.BufferedReader, name: str) -> Iterator[Row]:
    """Reads the documents of a BioC XML file.

    No other file is opened and no connection made, whatever the file refers to; declarations of entities are refused.

    Raises:
        DocumentError: The file is not well-formed, is no BioC or declares entities.
    """
    for number, found in enumerate(_documents(stream, name), start=1):
        if found.element is None:
            yield Row(number, None, found.problem)
            continue
        try:
            yield row_of(number, document_of(found.element))
        except RowError as error:
            yield Row(number, None, str(error))


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
    element: Element | None
    problem: str | None


class _Divider:
    """Divides a collection into documents, each an element without its collection."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._found: list[_Found] = []
        self._depth = 0
        self._builder: TreeBuilder | None = None
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
            self._builder, self._size, self._problem = TreeBuilder(), 0, None
        if self._depth > _MAX_DEPTH:
            self._problem = self._problem or f"the document is no BioC: its elements are nested {self._depth} deep"
        size = len(tag) + sum(len(key) + len(value) for key, value in attributes.items())
        if builder := self._with_room(size):
            builder.start(tag, attributes)

    def _text(self, text: str) -> None:
        if builder := self._with_room(len(text)):
            builder.data(text)

    def _end(self, tag: str) -> None:
        if builder := self._with_room(len(tag)):
            builder.end(tag)
        if self._depth == _DOCUMENT_DEPTH and self._builder is not None:
            element = None if self._problem is not None else self._builder.close()
            self._found.append(_Found(element, self._problem))
            self._builder = None
        self._depth -= 1

    def _with_room(self, size: int) -> TreeBuilder | None:
        """Returns the builder of the document if it has room for this many more characters."""
        if self._builder is None or self._problem is not None:
            return None
        self._size += size
        if self._size <= rows.MAX_ROW_BYTES:
            return self._builder
        self._builder = TreeBuilder()
        self._problem = f"the document takes more than {rows.MAX_ROW_BYTES:,} characters of XML: divide it"
        return None
