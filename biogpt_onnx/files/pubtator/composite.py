"""Composite mentions: the parts of "renal and hepatic failure" that make "renal failure"."""

from collections.abc import Iterator

from biogpt_onnx.tasks.document import Span

_MAX_CHARACTERS = 300
_MAX_PARTS = 4
_LEAST_CHARACTERS = 2


def parts_of(name: str, mention: str) -> tuple[Span, ...]:
    """Returns the parts of a composite mention that make an individual name.

    Args:
        name: The name, such as "renal failure" or "hypertension".
        mention: The composite mention, such as "renal and hepatic failure" or "hyper- and hypotension".

    Returns:
        The spans of the parts in the mention, in order; empty if the mention does not hold the name in at most four.
    """
    rest, text = name.strip().lower(), mention.lower()
    # A letter that becomes two in lower case would shift the spans.
    if len(text) != len(mention) or max(len(rest), len(text)) > _MAX_CHARACTERS:
        return ()
    found: list[Span] = []
    behind = 0
    while rest and len(found) < _MAX_PARTS:
        start, part = _longest(rest, text, behind)
        if len(part) < min(_LEAST_CHARACTERS, len(rest)):
            return ()
        behind = start + len(part)
        found.append((start, behind))
        rest = rest[len(part) :].lstrip()
    return () if rest else tuple(found)


def _longest(rest: str, text: str, behind: int) -> tuple[int, str]:
    """Returns the longest beginning of the rest that the text holds behind a place, and where; empty for none."""
    for size in range(len(rest), 0, -1):
        part = rest[:size].rstrip()
        places = list(_places(part, text, behind))
        if places:
            at_word = (place for place in places if place == 0 or not text[place - 1].isalnum())
            return next(at_word, places[0]), part
    return behind, ""


def _places(part: str, text: str, behind: int) -> Iterator[int]:
    place = text.find(part, behind)
    while place >= 0:
        yield place
        place = text.find(part, place + 1)
