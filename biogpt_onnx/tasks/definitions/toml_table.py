"""Tables of a TOML file, of which each key is checked where it is read."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.tasks.definitions.suggestions import did_you_mean

_LEAST_LABELS = 2


@dataclass(frozen=True)
class Key:
    """The type of a key's value.

    Attributes:
        kind: The type in words, as in "must be a text".
        accepts: Returns True for a value of the type.
        convert: Makes the setting of the value.
    """

    kind: str
    accepts: Callable[[Any], bool]
    convert: Callable[[Any], Any] = lambda value: value


@dataclass(frozen=True)
class Table:
    """A table of a TOML file.

    Attributes:
        where: The file, and the table in it, in messages.
        values: The values by key.
    """

    where: str
    values: Mapping[str, object]

    def settings(self, keys: Mapping[str, Key], required: tuple[str, ...] = ()) -> dict[str, Any]:
        """Returns the settings that the table gives.

        Args:
            keys: The known keys.
            required: Those that must be there.

        Raises:
            ConfigError: A key is unknown or missing, or a value is of another type.
        """
        for name in self.values:
            if name not in keys:
                hint = did_you_mean(name, keys)
                raise ConfigError(f"{self.where}: the key {name!r} is unknown{hint}: known are {', '.join(keys)}")
        for name in required:
            if name not in self.values:
                raise ConfigError(f"{self.where}: the key {name!r} is missing: it must be {keys[name].kind}")
        return {name: self._setting(name, keys[name]) for name in self.values}

    def _setting(self, name: str, key: Key) -> object:
        value = self.values[name]
        if not key.accepts(value):
            raise ConfigError(f"{self.where}: the key {name!r} is {_words(value)}: it must be {key.kind}")
        return key.convert(value)


def read_table(path: Path) -> Table:
    """Reads a TOML file.

    Raises:
        ConfigError: The file is not UTF-8 or not TOML, or the path has a zero character.
        OSError: The file cannot be read.
    """
    try:
        content = path.read_bytes()
    except ValueError as error:
        raise ConfigError(f"{str(path)!r} is no path of a file: {error}") from error
    try:
        return Table(str(path), tomllib.loads(content.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    except ValueError as error:
        # Also of a whole number with more digits than Python reads.
        raise ConfigError(f"{path} is not TOML: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{path} is not TOML that can be read: it is nested too deeply") from error


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_labels(value: object) -> bool:
    return isinstance(value, list) and len(value) >= _LEAST_LABELS and _is_texts(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_names(value: object) -> bool:
    return isinstance(value, dict) and all(_is_text(each) or _is_texts(each) for each in value.values())


def _pairs(value: Mapping[str, str | list[str]]) -> tuple[tuple[str, str], ...]:
    lists = {kind: [names] if isinstance(names, str) else names for kind, names in value.items()}
    return tuple((kind, name) for kind, names in lists.items() for name in names)


TEXT = Key("a text", _is_text)
NAME = Key(
    "a text on one line, without spaces around it",
    lambda value: _is_text(value) and value.isprintable() and value == value.strip(),
)
SEPARATOR = Key("a text", lambda value: isinstance(value, str) and bool(value))
TEXTS = Key("a list of texts", _is_texts, tuple)
LABELS = Key("a list of at least two texts", _is_labels, tuple)
FLAG = Key("true or false", lambda value: isinstance(value, bool))
PROBABILITY = Key(
    "a number from 0 to 1",
    lambda value: isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1,
    float,
)
NAMES = Key("a table of types, each with its other names", _is_names, _pairs)
TABLE = Key("a table", lambda value: isinstance(value, dict))
SOFT_PROMPT_SIZE = Key(
    'a whole number of 0 or more, or "any"',
    lambda value: value == "any" or (_is_whole(value) and value >= 0),
    lambda value: None if value == "any" else value,
)
POSITIONS = Key("a whole number of 1 or more", lambda value: _is_whole(value) and value >= 1)


def _words(value: object) -> str:
    """Returns a value's type and, if it is short, the value."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return f"the text {value!r}" if value.strip() else "an empty text"
    if isinstance(value, list):
        return f"a list of {len(value)}" + (", one of them no text or empty" if not _is_texts(value) else "")
    return "a table" if isinstance(value, dict) else f"a {type(value).__name__}"
