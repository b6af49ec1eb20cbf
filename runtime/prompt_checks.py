"""Checks of prompts and texts that callers give, and their conversion to token ids."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import numpy as np

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.errors import ConfigError, PromptError

Truncation = Literal["error", "right"]
"""The handling of a text that is longer than the model's positions: "error" refuses it, "right" drops its end."""


def as_prompt(prompt: object) -> str | Prefix[Any]:
    """Returns a prompt after checking that it is a string or a prefix.

    Raises:
        PromptError: the prompt is neither.
    """
    if not isinstance(prompt, str | Prefix):
        raise PromptError(f"a prompt is of type {type(prompt).__name__}: give a string")
    return prompt


def as_text(text: object) -> str:
    """Returns a text after checking that it is a string.

    Raises:
        PromptError: the text is not a string.
    """
    if not isinstance(text, str):
        raise PromptError(f"a text is of type {type(text).__name__}: give a string")
    return text


def check_truncation(truncation: object) -> None:
    """Refuses an unknown handling of a text that is too long.

    Raises:
        ConfigError: there is no such truncation.
    """
    if not isinstance(truncation, str) or truncation not in get_args(Truncation):
        raise ConfigError(f'truncation is {truncation!r}: give "error" or "right"')


def fit_text(ids: Sequence[int], max_positions: int, truncation: Truncation) -> tuple[int, ...]:
    """Returns the ids of a text within the model's positions, without its last tokens if they may be dropped.

    Args:
        ids: `</s>` and the text's tokens.
        max_positions: most tokens that the model reads.
        truncation: "error" to refuse a text that is too long, "right" to drop its last tokens.

    Raises:
        PromptError: the text has no tokens, or too many.
    """
    if len(ids) == 1:
        raise PromptError("the text holds no words: leave it out")
    if len(ids) > max_positions and truncation == "error":
        raise PromptError(
            f"the text has {len(ids):,} tokens, the model {max_positions:,} positions: shorten it, or set "
            'truncation to "right" to drop its end'
        )
    return tuple(ids[:max_positions])


def check_ids(ids: object, vocab_size: int) -> tuple[int, ...]:
    """Returns a sequence of token ids as plain integers.

    Raises:
        PromptError: the sequence is empty, or holds anything but ids of the vocabulary.
    """
    is_scalar = isinstance(ids, np.ndarray) and ids.ndim == 0
    if is_scalar or isinstance(ids, str | bytes) or not isinstance(ids, Sequence | np.ndarray):
        raise PromptError(f"token ids are of type {type(ids).__name__}: give a list of whole numbers")
    if len(ids) == 0:
        raise PromptError("a sequence of token ids is empty: it must hold at least the starting token, 2")
    for token in ids:
        if isinstance(token, bool) or not isinstance(token, int | np.integer):
            raise PromptError(f"token id {token!r} is not a whole number")
        if not 0 <= token < vocab_size:
            raise PromptError(f"token id {token} is outside the vocabulary of {vocab_size:,}")
    return tuple(int(token) for token in ids)


def fit(ids: Sequence[int], max_positions: int, config: GenerationConfig) -> tuple[int, ...]:
    """Returns a prompt within the model's positions, shortened if the configuration allows it.

    Raises:
        PromptError: the prompt is too long and may not be shortened.
    """
    if len(ids) <= max_positions:
        return tuple(ids)
    if config.truncation == "error":
        raise PromptError(
            f"a prompt has {len(ids):,} tokens, the model {max_positions:,} positions: "
            'shorten it, or set truncation to "left" or "right"'
        )
    # The last new token is never read, so it needs no position.
    room = max(2, max_positions - config.max_new_tokens + 1)
    return (*ids[:1], *ids[len(ids) - room + 1 :]) if config.truncation == "left" else tuple(ids[:room])


def check_choices(name: str, texts: object, encode: Callable[[str], Sequence[int]]) -> list[tuple[int, ...]]:
    """Returns the token ids of each text.

    Args:
        name: name of the texts in an error.
        texts: texts that the caller gave.
        encode: returns the token ids of a text.

    Raises:
        ConfigError: there are no texts, one is empty or not a string, or two have equal ids.
    """
    if isinstance(texts, str | bytes) or not isinstance(texts, Sequence) or not texts:
        raise ConfigError(f"{name} is {texts!r}: give a list of at least one text")
    first_with: dict[tuple[int, ...], str] = {}
    for text in texts:
        if not isinstance(text, str):
            raise ConfigError(f"{name} holds {text!r}: give strings")
        ids = tuple(encode(text))
        if not ids:
            raise ConfigError(f"{name} holds {text!r}, which is empty: give texts of at least one word")
        if ids in first_with:
            raise ConfigError(f"{name} holds {first_with[ids]!r} and {text!r}, the same to the model: give one of them")
        first_with[ids] = text
    return list(first_with)
