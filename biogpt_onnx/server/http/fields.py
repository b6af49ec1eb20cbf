"""Fields of a request: each is taken with its type and bounds, and what nobody took is refused."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from biogpt_onnx.server.http.errors import ApiError, bad_field

T = TypeVar("T")
_LARGEST = 2**63 - 1


class Fields:
    """The fields of a JSON object. One that is null is not given.

    Args:
        content: the object.
        name: name of the object where it is a field itself, for messages; "" for the request.
    """

    def __init__(self, content: Mapping[str, object], name: str = "") -> None:
        self._content = content
        self._prefix = f"{name}." if name else ""
        self._taken: set[str] = set()

    def has(self, name: str) -> bool:
        """Returns True if a field is given."""
        return self._content.get(name) is not None

    def value(self, name: str) -> object:
        """Returns a field's value of whatever type; None if it is not given."""
        self._taken.add(name)
        return self._content.get(name)

    def text(self, name: str, most: int | None = None) -> str | None:
        """Returns a string; None if it is not given.

        Args:
            name: name of the field.
            most: most characters; None for no bound.
        """
        value = self.value(name)
        return None if value is None else checked_text(self._prefix + name, value, most)

    def required_text(self, name: str) -> str:
        """Returns a string that must be given."""
        text = self.text(name)
        if text is None:
            raise bad_field(self._prefix + name, "is missing: give a string")
        return text

    def texts(self, name: str, most: int, most_characters: int | None = None) -> list[str] | None:
        """Returns a list of strings, or the only one given by itself; None if it is not given.

        Args:
            name: name of the field.
            most: most strings.
            most_characters: most characters of each; None for no bound.
        """
        value = self.value(name)
        if value is None:
            return None
        items = value if isinstance(value, list) else [value]
        if not 0 < len(items) <= most:
            raise bad_field(self._prefix + name, f"must hold 1 to {most} strings")
        return [checked_text(self._prefix + name, item, most_characters) for item in items]

    def integer(self, name: str, least: int = 0, most: int = _LARGEST) -> int | None:
        """Returns a whole number; None if it is not given."""
        value = self.value(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
            raise bad_field(self._prefix + name, "must be a whole number")
        if not least <= value <= most:
            bounds = f"from {least} to {most}" if most < _LARGEST else f"of {least} or more"
            raise bad_field(self._prefix + name, f"must be a whole number {bounds}")
        return int(value)

    def number(self, name: str, least: float, most: float) -> float | None:
        """Returns a number; None if it is not given."""
        value = self.value(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise bad_field(self._prefix + name, f"must be a number from {least:g} to {most:g}")
        return float(value)

    def flag(self, name: str) -> bool | None:
        """Returns True or False; None if it is not given."""
        value = self.value(name)
        if value is not None and not isinstance(value, bool):
            raise bad_field(self._prefix + name, "must be true or false")
        return value

    def one_of(self, name: str, options: Sequence[str]) -> str | None:
        """Returns a string that is one of several; None if it is not given."""
        value = self.value(name)
        if value is not None and (not isinstance(value, str) or value not in options):
            raise bad_field(self._prefix + name, f"must be one of {', '.join(options)}")
        return value

    def nested(self, name: str) -> "Fields | None":
        """Returns the fields of an object; None if it is not given."""
        value = self.value(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise bad_field(self._prefix + name, "must be an object")
        return Fields(value, self._prefix + name)

    def items(self, name: str, most: int, read: Callable[[str, object], T]) -> list[T]:
        """Returns the items of a list that must be given, each read by a function of its name and value."""
        value = self.value(name)
        if not isinstance(value, list) or not 0 < len(value) <= most:
            raise bad_field(self._prefix + name, f"must be a list of 1 to {most} items")
        return [read(f"{self._prefix}{name}[{index}]", item) for index, item in enumerate(value)]

    def ignore(self, *names: str) -> None:
        """Takes fields that change nothing here."""
        self._taken.update(names)

    def refuse(self, name: str, neutral: Sequence[object], remedy: str) -> None:
        """Refuses a field that is not supported, but with a value with which it does nothing.

        Args:
            name: name of the field.
            neutral: values that do nothing.
            remedy: what to do instead.
        """
        value = self.value(name)
        if value is not None and not any(type(value) is type(one) and value == one for one in neutral):
            raise bad_field(self._prefix + name, f"is not supported: {remedy}")

    def done(self) -> None:
        """Refuses fields that nobody took: a setting that is silently ignored is a wrong answer.

        Raises:
            ApiError: there are some.
        """
        unknown = sorted(set(self._content) - self._taken)
        if unknown:
            close = difflib.get_close_matches(unknown[0], sorted(self._taken), n=1)
            advice = (
                f"did you mean {self._prefix}{close[0]}?" if close else "the address /openapi.json lists the fields"
            )
            raise ApiError(400, f"the field {unknown[0][:64]!r} is not known here: {advice}", code="unknown_field")


def checked_text(name: str, value: object, most: int | None = None) -> str:
    """Returns a string that can be encoded.

    Args:
        name: name of the field, for messages.
        value: the value.
        most: most characters; None for no bound.

    Raises:
        ApiError: it is no string, too long, or holds half of a character.
    """
    if not isinstance(value, str):
        raise bad_field(name, "must be a string")
    if most is not None and len(value) > most:
        raise bad_field(name, f"must have at most {most} characters")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise bad_field(name, "holds half of a surrogate pair, which is no character") from error
    return value
