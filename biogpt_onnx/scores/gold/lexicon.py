"""Which concepts the names of chemicals and diseases stand for."""

from collections.abc import Mapping
from dataclasses import dataclass

UNKNOWN = "-1"
"""The id of what has none, in PubTator as in Microsoft's scripts."""


@dataclass(frozen=True)
class Lexicon:
    """Names in lower case, each with its MeSH id; a name of several concepts has their ids joined by "|".

    Attributes:
        chemicals: of chemicals.
        diseases: of diseases.
    """

    chemicals: Mapping[str, str]
    diseases: Mapping[str, str]

    def chemical(self, name: str) -> str:
        """The id of a chemical, whatever the case; `UNKNOWN` where the lexicon lacks it."""
        return self.chemicals.get(name.strip().lower(), UNKNOWN)

    def disease(self, name: str) -> str:
        """The id of a disease, likewise."""
        return self.diseases.get(name.strip().lower(), UNKNOWN)


def lexicon_names(names: Mapping[str, str]) -> dict[str, str]:
    """The names in lower case and without white space around them, as they are looked up."""
    return {name.strip().lower(): plain_concept(concepts) for name, concepts in names.items()}


def plain_concept(concept: str) -> str:
    """A MeSH id without the prefix that some files have, and some do not: the official evaluator takes both for one."""
    return concept.strip().removeprefix("MESH:")
