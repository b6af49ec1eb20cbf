"""The text of XML elements, without their markup."""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from biogpt_onnx.files.articles.elements import Element, local_name
from biogpt_onnx.files.rows import RowError

# XML's white space alone: other spaces, such as thin ones, are characters of the text.
_BREAKS = "\t\r\n"

# Between these stands a space, whether the file has one there or not.
_APART = {
    *("p", "title", "sec", "list", "list-item", "def-list", "def-item", "def", "term", "disp-quote", "break"),
    *("verse-group", "verse-line", "statement", "speech", "speaker"),
}


def text_of(element: Element | None, is_left_out: Callable[[Element], bool] = lambda _: False) -> str:
    """Returns all text of an element, with single spaces for line breaks and indents; empty for None.

    Args:
        element: The element.
        is_left_out: Tells the elements that are left out with all that they hold.

    Raises:
        RowError: The element holds an entity that the file does not explain.
    """
    if element is None:
        return ""
    # Most elements hold nothing but text.
    if not len(element):
        return _single_spaced(element.text or "")
    pieces: list[str] = []
    _collect(element, is_left_out, pieces)
    return _single_spaced("".join(pieces))


def labelled(label: str, text: str) -> str:
    """Returns a section of an abstract with its label before it, as PubMed prints it: "METHODS: We asked."."""
    if not label or not text:
        return text
    return f"{label} {text}" if label.endswith((":", ".", "?", "!")) else f"{label}: {text}"


def joined(parts: Iterable[str]) -> str:
    """Returns the parts that are not empty, with a space between each two."""
    return " ".join(filter(None, parts))


def children(element: Element | None, *names: str) -> Iterator[Element]:
    """Yields the children of these local names, in order; none for None."""
    return iter(()) if element is None else element.iterchildren(*_in_any_namespace(names))


def child(element: Element | None, *path: str) -> Element | None:
    """Returns the first element at a path of local names; None if there is none."""
    for name in path:
        element = next(children(element, name), None)
    return element


def _collect(element: Element, is_left_out: Callable[[Element], bool], pieces: list[str]) -> None:
    """Adds the texts of an element, in order."""
    pieces.append(element.text or "")
    for each in element:
        if not isinstance(each.tag, str):
            raise RowError(f"the entity {each.text} is not known: write out what it stands for")
        apart = " " if local_name(each) in _APART else ""
        pieces.append(apart)
        if not is_left_out(each):
            _collect(each, is_left_out, pieces)
        pieces.append(apart + (each.tail or ""))


def _single_spaced(text: str) -> str:
    # A fifth of the time of a regular expression, which looks at each character.
    for mark in _BREAKS:
        text = text.replace(mark, " ")
    while "  " in text:
        text = text.replace("  ", " ")
    return text.strip()


@lru_cache
def _in_any_namespace(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{{*}}{name}" for name in names)
