"""Suggestions: the known name that a mistyped one probably stands for."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns ` (did you mean 'labels'?)` for a message, or nothing if no known name is close.

    Args:
        name: The name that is not known.
        known: The known names.
    """
    by_key = {each.lower(): each for each in known}
    close = get_close_matches(name.lower(), by_key, n=1)
    return f" (did you mean {by_key[close[0]]!r}?)" if close else ""
