"""Numbers and lists of numpy, torch and other libraries as Python's own; none of these libraries is imported."""

import numbers
import operator
from collections.abc import Sequence
from typing import Any, Protocol

_MOST_CHARACTERS = 120
"""Most characters of a value that an error message shows."""


class Array(Protocol):
    """An array or tensor of numbers, of any library."""

    def tolist(self) -> Any:  # noqa: ANN401 -- a number, or lists of any depth
        """Returns the values as Python's lists and numbers."""
        ...


def plain_number(value: object) -> object:
    """Returns a number, or an array of no dimensions, as Python's own int, float or bool; anything else as it is."""
    if isinstance(value, bool | str):
        return value
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", None) == 0:
        value = item()
    if isinstance(value, bool):
        return value
    if isinstance(value, numbers.Integral):
        return operator.index(value)
    if isinstance(value, numbers.Real):
        try:
            return float(value)
        except OverflowError:
            return value
    return value


def plain_sequence(value: object) -> Sequence[Any] | None:
    """Returns a list, tuple, array or tensor as a sequence; None for anything else, such as texts and sets."""
    if isinstance(value, str | bytes | bytearray | memoryview):
        return None
    if isinstance(value, Sequence):
        return value
    to_list = getattr(value, "tolist", None)
    found = to_list() if callable(to_list) else None
    return found if isinstance(found, list) else None


def shown(value: object) -> str:
    """Returns a value as an error message shows it: in one line, and not all of a long one."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # Python writes no whole number of more than some 4,300 digits.
        text = "a value that is too long to show"
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 2] + " …"
