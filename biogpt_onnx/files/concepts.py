"""Concept ids as annotation formats write them."""

_UNKNOWN = frozenset({"", "-", "-1", "none", "null"})


def known_concept(written: str) -> str:
    """Returns a concept's id; empty for what the formats write where none is known, such as "-1"."""
    concept = " ".join(written.split())
    return "" if concept.lower() in _UNKNOWN else concept
