"""Lexicon of chemicals and diseases: names, and the concepts that they stand for."""

from collections.abc import Mapping
from dataclasses import dataclass

UNKNOWN = "-1"
"""The id of an entity without a known concept, in PubTator and in Microsoft's scripts."""


@dataclass(frozen=True)
class Lexicon:
    """Names in lower case, each with its MeSH id; a name of several concepts has their ids joined by "|".

    Attributes:
        chemicals: ids of chemicals, by name.
        diseases: ids of diseases, by name.
    """

    chemicals: Mapping[str, str]
    diseases: Mapping[str, str]

    def chemical(self, name: str) -> str:
        """Returns the id of a chemical by its name in any case; `UNKNOWN` if the lexicon lacks it."""
        return self.chemicals.get(name.strip().lower(), UNKNOWN)

    def disease(self, name: str) -> str:
        """Returns the id of a disease by its name in any case; `UNKNOWN` if the lexicon lacks it."""
        return self.diseases.get(name.strip().lower(), UNKNOWN)


def lexicon_names(names: Mapping[str, str]) -> dict[str, str]:
    """Returns the names in lower case and without white space around them, as they are looked up, with plain ids."""
    return {name.strip().lower(): plain_concept(concepts) for name, concepts in names.items()}


def plain_concept(concept: str) -> str:
    """Returns a MeSH id without the prefix "MESH:", which only some files have and the official evaluator ignores."""
    return concept.strip().removeprefix("MESH:")
