"""Names of entity types: what corpora call the types of the tasks' entities."""

from collections.abc import Iterable, Mapping

KNOWN_NAMES: Mapping[str, tuple[str, ...]] = {
    "Chemical": ("ChemicalEntity", "SimpleChemical", "Drug", "drug_n", "Brand"),
    "Disease": ("DiseaseOrPhenotypicFeature", "SpecificDisease", "DiseaseClass"),
    "Gene": ("GeneOrGeneProduct", "GeneProduct", "Protein", "GENE-Y", "GENE-N"),
}
"""Names of each type in BioRED, the DDI corpus, BioNLP's shared tasks, the NCBI disease corpus and ChemProt."""

TypeNames = tuple[tuple[str, str], ...]
"""Pairs of a task's type and another name of it."""


def is_of_type(given: str, wanted: str, more_names: TypeNames = ()) -> bool:
    """Returns True if an entity's type is the one that a task wants.

    Case, spaces, hyphens and underscores do not count.

    Args:
        given: The entity's type; several with commas between are all of its types; empty for an entity of any type.
        wanted: The task's type; empty to want every type.
        more_names: Names of types beyond `KNOWN_NAMES`.
    """
    if not wanted or not given.strip():
        return True
    names = [wanted, *_known(wanted), *(name for kind, name in more_names if _key(kind) == _key(wanted))]
    # A name may hold commas itself.
    return not {_key(given), *map(_key, given.split(","))}.isdisjoint(map(_key, names))


def _known(wanted: str) -> Iterable[str]:
    return (name for kind, names in KNOWN_NAMES.items() if _key(kind) == _key(wanted) for name in names)


def _key(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())
