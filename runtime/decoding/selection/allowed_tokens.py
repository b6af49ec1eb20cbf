"""Checks of what a constraint gives: ids of tokens, and texts that fit."""

from collections.abc import Iterable

from biogpt_onnx.runtime.decoding.plain_values import plain_number, plain_sequence, shown
from biogpt_onnx.runtime.errors import ConfigError


def check_allowed(tokens: object) -> tuple[int, ...]:
    """Returns the tokens that a constraint allows as plain integers.

    Args:
        tokens: what the caller's function returned: any iterable of whole numbers, an array or a tensor.

    Raises:
        ConfigError: it is anything but whole numbers.
    """
    found = plain_sequence(tokens)
    if found is None and isinstance(tokens, Iterable) and not isinstance(tokens, str | bytes):
        found = tuple(tokens)
    if found is None:
        raise ConfigError(f"allowed gave {shown(tokens)}: give the ids of the tokens that may come next, none for none")
    # Most often all are plain integers, and there may be as many as the vocabulary has.
    if {int}.issuperset(map(type, found)):
        return tuple(found)
    ids: list[int] = []
    for token in map(plain_number, found):
        if isinstance(token, bool) or not isinstance(token, int):
            raise ConfigError(f"allowed gave token {shown(token)}, which is not a whole number: give ids of tokens")
        ids.append(token)
    return tuple(ids)
