"""Lexicons: the concept ids of entity names, from a file of the user."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from biogpt_onnx.runtime.errors import DocumentError


@dataclass(frozen=True)
class Lexicon:
    """A mapping of entity names to concept ids.

    Attributes:
        concepts: The id of each name; names are in lower case with single spaces.
    """

    concepts: Mapping[str, str] = field(default_factory=dict)

    def known_concept(self, name: str) -> str | None:
        """Returns the id of a name in any case; None for an unknown name."""
        return self.concepts.get(_key(name))

    def concept(self, name: str) -> str:
        """Returns the id of a name in any case; for an unknown name the name itself, in lower case."""
        key = _key(name)
        return self.concepts.get(key, key)


def read_lexicon(path: Path) -> Lexicon:
    """Reads a lexicon from a JSON object of names and ids.

    Raises:
        DocumentError: The file cannot be read, is no such object, or gives a name two ids.
    """
    concepts: dict[str, str] = {}
    for name, concept in _pairs(path):
        key = _key(name)
        if not key or not isinstance(concept, str) or not concept.strip() or not concept.isprintable():
            raise DocumentError(f"{path}: {name!r} has the id {concept!r}: give each name an id that is a plain string")
        before = concepts.setdefault(key, concept)
        if before != concept:
            raise DocumentError(f"{path}: {key!r} has two ids, {before!r} and {concept!r}: keep one of them")
    return Lexicon(concepts)


class _Object(NamedTuple):
    pairs: list[tuple[str, Any]]


def _pairs(path: Path) -> list[tuple[str, Any]]:
    try:
        # A JSON object may hold a name twice, of which a dict would keep the last.
        value = json.loads(path.read_bytes().decode("utf-8-sig"), object_pairs_hook=_Object)
    except OSError as error:
        raise DocumentError(f"{path} cannot be read ({error.strerror or error}): name another file") from error
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"{path} is no JSON ({error}): give an object of names and ids") from error
    if not isinstance(value, _Object):
        raise DocumentError(f"{path} is JSON, but no object: give an object of names and ids")
    return value.pairs


def _key(name: str) -> str:
    return " ".join(name.lower().split())
