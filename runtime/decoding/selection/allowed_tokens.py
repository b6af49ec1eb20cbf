"""Checks of what a constraint gives: ids of tokens, and texts that fit."""

from collections.abc import Iterable

import numpy as np

from biogpt_onnx.runtime.errors import ConfigError


def check_allowed(tokens: object) -> tuple[int, ...]:
    """Returns the tokens that a constraint allows as plain integers.

    Args:
        tokens: what the caller's function returned.

    Raises:
        ConfigError: it is anything but whole numbers.
    """
    if isinstance(tokens, str | bytes) or not isinstance(tokens, Iterable):
        raise ConfigError(f"allowed gave {tokens!r}: give the ids of the tokens that may come next, none for none")
    ids = tuple(tokens.tolist() if isinstance(tokens, np.ndarray) else tokens)
    # Most often all are plain integers, and there may be as many as the vocabulary has.
    if {int}.issuperset(map(type, ids)):
        return ids
    for token in ids:
        if isinstance(token, bool) or not isinstance(token, int | np.integer):
            raise ConfigError(f"allowed gave token {token!r}, which is not a whole number: give ids of tokens")
    return tuple(map(int, ids))
