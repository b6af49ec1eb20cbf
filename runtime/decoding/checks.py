"""Checks of single settings: each takes a field's name and value, and returns the value or raises an error.

Functions such as `whole_number` return a check, so that a table of fields and checks reads as a specification.
"""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from biogpt_onnx.runtime.errors import ConfigError

Check = Callable[[str, Any], object]
"""A check of a setting: takes a field's name and value, and returns the value in the form in which it is kept."""


def whole_number(least: int) -> Callable[[str, Any], int]:
    """Returns a check for a whole number of `least` or more."""

    def check(name: str, value: object) -> int:
        if type(value) is not int or value < least:
            raise ConfigError(f"{name} is {value!r}: give a whole number of {least} or more")
        return value

    return check


def number(
    *, above: float = -math.inf, least: float = -math.inf, most: float = math.inf, below: float = math.inf
) -> Callable[[str, Any], float]:
    """Returns a check for a finite number above `above`, of at least `least` and at most `most`, and below `below`."""
    limits = [f"above {above:g}"] * (above > -math.inf) + [f"of {least:g} or more"] * (least > -math.inf)
    limits += [f"of {most:g} or less"] * (most < math.inf) + [f"below {below:g}"] * (below < math.inf)
    expected = " ".join(["a number", " and ".join(limits)]).strip()

    def check(name: str, value: object) -> float:
        # A comparison, because a whole number may be too large for math.isfinite.
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
            raise ConfigError(f"{name} is {value!r}: give {expected}")
        if not above < value < below or not least <= value <= most:
            raise ConfigError(f"{name} is {value!r}: give {expected}")
        return float(value)

    return check


def one_of(choices: Sequence[object]) -> Check:
    """Returns a check for one of these values; a number does not stand for True or False."""

    def check(name: str, value: object) -> object:
        for choice in choices:
            if type(value) is type(choice) and value == choice:
                return value
        raise ConfigError(f"{name} is {value!r}: choose one of {', '.join(map(str, choices))}")

    return check


def flag(name: str, value: object) -> bool:
    """Checks a value that must be True or False."""
    if not isinstance(value, bool):
        raise ConfigError(f"{name} is {value!r}: give True or False")
    return value


def optional(check: Check) -> Check:
    """Returns a check for None, or for a value that another check allows."""
    return lambda name, value: None if value is None else check(name, value)


def strings(name: str, value: object) -> tuple[str, ...]:
    """Checks texts, none of which may be empty, and returns them as a tuple; a single text counts as one of them."""
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, Sequence) or not all(isinstance(text, str) and text for text in texts):
        raise ConfigError(f"{name} is {value!r}: give strings that are not empty")
    return tuple(texts)


def token_ids(name: str, value: object) -> tuple[int, ...]:
    """Checks any number of token ids."""
    tokens = value.tolist() if isinstance(value, np.ndarray) else value
    if isinstance(tokens, str | bytes) or not isinstance(tokens, Sequence):
        raise ConfigError(f"{name} is {value!r}: give a list of token ids")
    for token in tokens:
        if isinstance(token, bool) or not isinstance(token, int | np.integer) or token < 0:
            raise ConfigError(f"{name} holds {token!r}: give token ids, whole numbers of 0 or more")
    return tuple(int(token) for token in tokens)


def end_tokens(name: str, value: object) -> int | tuple[int, ...] | str | None:
    """Checks one token id, or several; None stands for no token, and "model" for those of the model."""
    if value is None or value == "model":
        return value
    if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str | bytes):
        tokens = token_ids(name, value)
        if not tokens:
            raise ConfigError(f"{name} is empty: give a token id, several, or None for no ending token")
        return tuple(dict.fromkeys(tokens))
    return whole_number(0)(name, value)


def token_sequences(name: str, value: object) -> tuple[tuple[int, ...], ...]:
    """Checks any number of sequences of token ids, none of which may be empty."""
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise ConfigError(f"{name} is {value!r}: give a list of lists of token ids")
    sequences = tuple(token_ids(name, sequence) for sequence in value)
    if not all(sequences):
        raise ConfigError(f"{name} holds an empty sequence: give lists of at least one token id")
    return sequences


def biases(name: str, value: object) -> tuple[tuple[tuple[int, ...], float], ...]:
    """Checks a mapping, or a list of pairs, from sequences of token ids to numbers, and returns the pairs."""
    pairs = list(value.items()) if isinstance(value, Mapping) else value
    if isinstance(pairs, str | bytes) or not isinstance(pairs, Sequence):
        raise ConfigError(f"{name} is {value!r}: give a mapping from tuples of token ids to numbers")
    for pair in pairs:
        if not isinstance(pair, Sequence) or len(pair) != 2:  # noqa: PLR2004 -- a pair
            raise ConfigError(f"{name} holds {pair!r}: give pairs of token ids and a number")
    sequences = token_sequences(name, [ids for ids, _ in pairs])
    if len(set(sequences)) < len(sequences):
        raise ConfigError(f"{name} names the same tokens twice: give each sequence one number")
    finite = number()
    return tuple((ids, finite(name, bias)) for ids, (_, bias) in zip(sequences, pairs, strict=True))


def callables(name: str, value: object) -> tuple[Callable[..., object], ...]:
    """Checks functions and returns them as a tuple; a single function counts as one of them."""
    functions = (value,) if callable(value) else value
    if not isinstance(functions, Sequence) or not all(map(callable, functions)):
        raise ConfigError(f"{name} is {value!r}: give functions of a sequence's token ids and its logits")
    return tuple(functions)


def seeds(name: str, value: object) -> int | tuple[int, ...]:
    """Checks one seed, a whole number of 0 or more, or several."""
    least = whole_number(0)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if not value:
            raise ConfigError(f"{name} is empty: give a whole number, or one for each prompt")
        return tuple(least(name, seed) for seed in value)
    return least(name, value)
