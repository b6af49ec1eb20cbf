"""Checks of prompts and texts that callers give, and their conversion to token ids."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.plain_values import plain_number, plain_sequence, shown
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.errors import ConfigError, PromptError

Truncation = Literal["error", "right"]
"""The handling of a text that is longer than the model's positions: "error" refuses it, "right" drops its end."""

TRUNCATE = 'shorten it, or set truncation to "left" or "right"'
"""Remedy for a prompt that is too long to be continued."""


def as_prompt(prompt: object) -> str | Prefix[Any]:
    """Returns a prompt after checking that it is a string or a prefix.

    Raises:
        PromptError: the prompt is neither.
    """
    if not isinstance(prompt, str | Prefix):
        raise PromptError(f"a prompt is of type {type(prompt).__name__}: give a string")
    return prompt


def as_ids(prompt: object) -> object:
    """Returns a prompt that is no text after checking that it is a row of token ids.

    Raises:
        PromptError: it is neither.
    """
    if plain_sequence(prompt) is None:
        raise PromptError(f"a prompt is of type {type(prompt).__name__}: give a text, or a list of token ids")
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
    """Returns a sequence of token ids, which may be an array or a tensor, as plain integers.

    Raises:
        PromptError: the sequence is empty, or holds anything but ids of the vocabulary.
    """
    tokens = plain_sequence(ids)
    if tokens is None:
        raise PromptError(f"token ids are of type {type(ids).__name__}: give a list of whole numbers")
    if not tokens:
        raise PromptError("a sequence of token ids is empty: it must hold at least the starting token, 2")
    return tuple(_check_id(token, vocab_size) for token in tokens)


def is_row(ids: object) -> bool:
    """Returns True for one row of token ids; False for several rows, and for anything else."""
    tokens = plain_sequence(ids)
    return tokens is not None and len(tokens) > 0 and plain_sequence(tokens[0]) is None


def _check_id(token: object, vocab_size: int) -> int:
    plain = plain_number(token)
    if type(plain) is not int:
        raise PromptError(f"token id {shown(token)} is not a whole number")
    if not 0 <= plain < vocab_size:
        raise PromptError(f"token id {plain} is outside the vocabulary of {vocab_size:,}")
    return plain


def fit(
    ids: Sequence[int], max_positions: int, config: GenerationConfig, advice: str = TRUNCATE, what: str = "a prompt"
) -> tuple[int, ...]:
    """Returns a prompt within the model's positions, shortened if the configuration allows it.

    Args:
        ids: token ids of the prompt.
        max_positions: most tokens that the model reads.
        config: the settings; `truncation` says if the prompt may be shortened.
        advice: remedy that the error names.
        what: name of the prompt in the error.

    Raises:
        PromptError: the prompt is too long and may not be shortened.
    """
    if len(ids) <= max_positions:
        return tuple(ids)
    if config.truncation == "error":
        raise PromptError(f"{what} has {len(ids):,} tokens, the model {max_positions:,} positions: {advice}")
    # The last new token is never read, so it needs no position. At least half of the positions stay the prompt's.
    room = min(max(2, max_positions // 2, max_positions - config.most_new_tokens(0) + 1), max_positions)
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


def check_known(name: str, texts: Sequence[str], rows: Sequence[Sequence[int]], unk_id: int) -> None:
    """Refuses texts that the model cannot write, because the vocabulary lacks some of their characters.

    Args:
        name: name of the texts in an error.
        texts: the texts.
        rows: token ids of each.
        unk_id: id of `<unk>`.

    Raises:
        ConfigError: a text has such characters.
    """
    for text, ids in zip(texts, rows, strict=True):
        if unk_id in ids:
            raise ConfigError(
                f"{name} holds {text!r}, of which the vocabulary lacks characters: write it with others, such as - "
                "for a dash"
            )
