"""Elements of an XML file one at a time, from files that need not be trusted."""

import io
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from importlib import import_module
from typing import Any

from biogpt_onnx.files import rows
from biogpt_onnx.runtime.errors import DocumentError

Element = Any
"""An element of the library lxml, which has no types."""

_CHUNK_BYTES = 1 << 15


def elements_of(
    stream: io.BufferedReader, name: str, tags: Collection[str], roots: Collection[str], what: str
) -> Iterator[Element]:
    """Yields the elements of some tags, whatever their namespace; one of them is in memory at a time.

    No other file is opened and no connection made, whatever document type the file names; it may not declare entities,
    and the library's own limits of depth and of the length of a text are kept.

    Args:
        stream: The stream.
        name: The stream's name in errors.
        tags: The tags' local names. An element within another one of them is not yielded by itself.
        roots: The local names that the root may have.
        what: The name of the format in errors.

    Raises:
        DocumentError: The stream is not well-formed, has another root, declares entities, or holds an element that
            takes more than `rows.MAX_ROW_BYTES`; or the library lxml is not installed.
    """
    etree = import_lxml()
    bounded = _Bounded(stream, name)
    try:
        yield from _found(etree, bounded, name, tags, roots, what)
    except DocumentError:
        raise
    # The library raises the second for encodings that it does not know.
    except (etree.XMLSyntaxError, LookupError, ValueError) as error:
        raise DocumentError(f"{name} is not well-formed XML ({_short(error)}): mend it") from error


def check_elements(
    stream: io.BufferedReader, name: str, tags: Collection[str], roots: Collection[str], what: str
) -> None:
    """Reads a file to its end, to refuse one that cannot be read before other work is done.

    Raises:
        DocumentError: The file cannot be read; see `elements_of`.
    """
    deque(elements_of(stream, name, tags, roots, what), maxlen=0)


def import_lxml() -> Any:  # noqa: ANN401 -- the library has no types
    """Imports the library.

    Raises:
        DocumentError: The library is not installed.
    """
    try:
        return import_module("lxml.etree")
    except ImportError as error:
        raise DocumentError('PubMed\'s XML and JATS need the library lxml: pip install "biogpt-onnx[files]"') from error


def local_name(element: Element) -> str:
    """Returns an element's tag without its namespace; empty for what is no element, such as an entity."""
    tag = element.tag
    if not isinstance(tag, str):
        return ""
    return tag.rpartition("}")[2] if tag.startswith("{") else tag


def _found(  # noqa: PLR0913, PLR0917 -- what is looked for, where, and the words of errors
    etree: Any,  # noqa: ANN401 -- the library has no types
    bounded: "_Bounded",
    name: str,
    tags: Collection[str],
    roots: Collection[str],
    what: str,
) -> Iterator[Element]:
    parser = _parser(etree, {*tags, *roots})
    inside: Element = None
    root: Element = None
    while chunk := bounded.read():
        parser.feed(chunk)
        for event, element in parser.read_events():
            if root is None:
                root = element.getroottree().getroot()
                _check_root(root, name, roots, what)
            if event == "start":
                inside = element if inside is None and local_name(element) in tags else inside
            elif element is inside:
                yield element
                inside = None
                _remove(element)
                bounded.begin_anew()
        if inside is None and root is not None and _is_pruned(root):
            bounded.begin_anew()
    closed = parser.close()
    if root is None:
        _check_root(closed, name, roots, what)


def _parser(etree: Any, names: Iterable[str]) -> Any:  # noqa: ANN401 -- the library has no types
    """Returns a parser that reports the elements of some names alone, which it finds much faster than Python would."""
    return etree.XMLPullParser(
        events=("start", "end"),
        tag=[f"{{*}}{name}" for name in sorted(names)],
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def _remove(element: Element) -> None:
    """Takes out of the tree what was read, and all that stands before it."""
    element.clear()
    for each in (element, *element.iterancestors()):
        parent = each.getparent()
        while parent is not None and each.getprevious() is not None:
            del parent[0]


def _is_pruned(root: Element) -> bool:
    """Takes out of the tree all that has ended; returns True if there was any."""
    found = False
    while len(root):
        found = found or len(root) > 1
        del root[:-1]
        root = root[-1]
    return found


def _check_root(element: Element, name: str, roots: Collection[str], what: str) -> None:
    root = local_name(element)
    if root not in roots:
        raise DocumentError(f"{name} is XML, but no {what}: its root is <{root}>")
    declared = element.getroottree().docinfo.internalDTD
    entity = next(iter(declared.iterentities()), None) if declared is not None else None
    if entity is not None:
        raise DocumentError(
            f"{name} declares the entity {entity.name}, which {what} has no use for: write out what it stands for"
        )


class _Bounded:
    """A stream that ends with an error where one element takes too much of it."""

    def __init__(self, stream: io.BufferedReader, name: str) -> None:
        self._stream = stream
        self._name = name
        self._size = 0

    def read(self) -> bytes:
        data = self._stream.read1(_CHUNK_BYTES)
        self._size += len(data)
        if self._size > rows.MAX_ROW_BYTES + _CHUNK_BYTES:
            raise DocumentError(f"{self._name} has an element of more than {rows.MAX_ROW_BYTES:,} bytes: divide it")
        return data

    def begin_anew(self) -> None:
        self._size = 0


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
