"""Checks of single settings: each takes a field's name and value, and returns the value or raises an error.

Functions such as `whole_number` return a check, so that a table of fields and checks reads as a specification.
"""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from biogpt_onnx.runtime.decoding.plain_values import plain_number, plain_sequence, shown
from biogpt_onnx.runtime.errors import ConfigError

Check = Callable[[str, Any], object]
"""A check of a setting: takes a field's name and value, and returns the value in the form in which it is kept."""


def whole_number(least: int) -> Callable[[str, Any], int]:
    """Returns a check for a whole number of `least` or more."""

    def check(name: str, value: object) -> int:
        plain = plain_number(value)
        if type(plain) is not int or plain < least:
            raise ConfigError(f"{name} is {shown(value)}: give a whole number of {least} or more")
        return plain

    return check


def number(
    *, above: float = -math.inf, least: float = -math.inf, most: float = math.inf, below: float = math.inf
) -> Callable[[str, Any], float]:
    """Returns a check for a finite number above `above`, of at least `least` and at most `most`, and below `below`."""
    limits = [f"above {above:g}"] * (above > -math.inf) + [f"of {least:g} or more"] * (least > -math.inf)
    limits += [f"of {most:g} or less"] * (most < math.inf) + [f"below {below:g}"] * (below < math.inf)
    expected = " ".join(["a number", " and ".join(limits)]).strip()

    def check(name: str, value: object) -> float:
        plain = plain_number(value)
        # A comparison, because a whole number may be too large for math.isfinite.
        if isinstance(plain, bool) or not isinstance(plain, int | float) or not abs(plain) <= sys.float_info.max:
            raise ConfigError(f"{name} is {shown(value)}: give {expected}")
        if not above < plain < below or not least <= plain <= most:
            raise ConfigError(f"{name} is {shown(value)}: give {expected}")
        return float(plain)

    return check


def one_of(choices: Sequence[object]) -> Check:
    """Returns a check for one of these values; a number does not stand for True or False."""

    def check(name: str, value: object) -> object:
        plain = plain_number(value)
        for choice in choices:
            if type(plain) is type(choice) and plain == choice:
                return plain
        raise ConfigError(f"{name} is {shown(value)}: choose one of {', '.join(map(str, choices))}")

    return check


def flag(name: str, value: object) -> bool:
    """Checks a value that must be True or False."""
    plain = plain_number(value)
    if not isinstance(plain, bool):
        raise ConfigError(f"{name} is {shown(value)}: give True or False")
    return plain


def optional(check: Check) -> Check:
    """Returns a check for None, or for a value that another check allows."""
    return lambda name, value: None if value is None else check(name, value)


def strings(name: str, value: object) -> tuple[str, ...]:
    """Checks texts, none of which may be empty, and returns them as a tuple; a single text counts as one of them."""
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, Sequence) or not all(isinstance(text, str) and text for text in texts):
        raise ConfigError(f"{name} is {shown(value)}: give strings that are not empty")
    return tuple(texts)


def token_ids(name: str, value: object) -> tuple[int, ...]:
    """Checks any number of token ids: a list, an array or a tensor."""
    tokens = plain_sequence(value)
    if tokens is None:
        raise ConfigError(f"{name} is {shown(value)}: give a list of token ids")
    plain = [plain_number(token) for token in tokens]
    for token in plain:
        if type(token) is not int or token < 0:
            raise ConfigError(f"{name} holds {shown(token)}: give token ids, whole numbers of 0 or more")
    return tuple(token for token in plain if isinstance(token, int))


def end_tokens(name: str, value: object) -> int | tuple[int, ...] | str | None:
    """Checks one token id, or several; None stands for no token, and "model" for those of the model."""
    if value is None or (isinstance(value, str) and value == "model"):
        return value
    if plain_sequence(value) is None:
        return whole_number(0)(name, value)
    tokens = token_ids(name, value)
    if not tokens:
        raise ConfigError(f"{name} is empty: give a token id, several, or None for no ending token")
    return tuple(dict.fromkeys(tokens))


def token_sequences(name: str, value: object) -> tuple[tuple[int, ...], ...]:
    """Checks any number of sequences of token ids, none of which may be empty."""
    rows = plain_sequence(value)
    if rows is None:
        raise ConfigError(f"{name} is {shown(value)}: give a list of lists of token ids")
    sequences = tuple(token_ids(name, row) for row in rows)
    if not all(sequences):
        raise ConfigError(f"{name} holds an empty sequence: give lists of at least one token id")
    return sequences


def biases(name: str, value: object) -> tuple[tuple[tuple[int, ...], float], ...]:
    """Checks a mapping, or a list of pairs, from sequences of token ids to numbers, and returns the pairs."""
    pairs = list(value.items()) if isinstance(value, Mapping) else value
    if isinstance(pairs, str | bytes) or not isinstance(pairs, Sequence):
        raise ConfigError(f"{name} is {shown(value)}: give a mapping from tuples of token ids to numbers")
    for pair in pairs:
        if not isinstance(pair, Sequence) or len(pair) != 2:  # noqa: PLR2004 -- a pair
            raise ConfigError(f"{name} holds {shown(pair)}: give pairs of token ids and a number")
    sequences = token_sequences(name, [ids for ids, _ in pairs])
    if len(set(sequences)) < len(sequences):
        raise ConfigError(f"{name} names the same tokens twice: give each sequence one number")
    finite = number()
    return tuple((ids, finite(name, bias)) for ids, (_, bias) in zip(sequences, pairs, strict=True))


def callables(arguments: str) -> Callable[[str, Any], tuple[Callable[..., object], ...]]:
    """Returns a check for functions of these arguments; a single function counts as one of them."""

    def check(name: str, value: object) -> tuple[Callable[..., object], ...]:
        functions = (value,) if callable(value) else value
        if not isinstance(functions, Sequence) or not all(map(callable, functions)):
            raise ConfigError(f"{name} is {shown(value)}: give functions of {arguments}")
        return tuple(functions)

    return check


def seeds(name: str, value: object) -> int | tuple[int, ...]:
    """Checks one seed, a whole number of 0 or more, or several: a list, an array or a tensor."""
    least = whole_number(0)
    several = plain_sequence(value)
    if several is None:
        return least(name, value)
    if not several:
        raise ConfigError(f"{name} is empty: give a whole number, or one for each prompt")
    return tuple(least(name, seed) for seed in several)
