"""Added tokens: tokens beside the vocabulary, whose text is never divided, and the file that names them.

They are read and written as by `BioGptTokenizer` of transformers 5.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biogpt_onnx.runtime.tokenizer.vocabulary import SPECIAL_TOKENS, VocabularyError, read_text

DECODER_FIELD = "added_tokens_decoder"
CONTROL_NAMES = ("bos_token", "eos_token", "unk_token", "pad_token")
"""Names under which a tokenizer's files say which tokens begin, end and pad a text, and stand for unknown symbols."""

SPECIAL_NAMES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
"""Names of all special tokens, in transformers' order."""

EXTRA_NAMES = ("additional_special_tokens", "extra_special_tokens")

_MOST_DIGITS = 9
"""Most digits of an id: no vocabulary needs more, and Python reads no whole number of some 4,300."""


@dataclass(frozen=True)
class AddedToken:
    """A token whose text is never divided.

    Attributes:
        token_id: row of the embedding.
        content: text of the token.
        lstrip: True if white space on its left belongs to it.
        rstrip: True if white space on its right belongs to it.
        single_word: True if it is a token only between spaces.
        is_special: True if decoding leaves it out by default.
        is_control: True if it is one of `CONTROL_NAMES`, which a text names only with `special_tokens`.
    """

    token_id: int
    content: str
    lstrip: bool = False
    rstrip: bool = False
    single_word: bool = False
    is_special: bool = False
    is_control: bool = False


class AddedTokenSplitter:
    """Divides texts at added tokens.

    At each place, the token that begins first is taken, and of those the longest.

    Args:
        tokens: tokens to find.
    """

    def __init__(self, tokens: Iterable[AddedToken]) -> None:
        self._tokens = {token.content: token for token in tokens}
        longest_first = sorted(self._tokens, key=len, reverse=True)
        self._pattern = re.compile(f"({'|'.join(map(re.escape, longest_first))})") if longest_first else None
        self._have_rules = any(token.lstrip or token.rstrip or token.single_word for token in self._tokens.values())

    def split(self, text: str) -> list[tuple[str, int | None]]:
        """Returns the parts of a text in order, each with its id if it is an added token."""
        if self._pattern is None:
            return [(text, None)]
        parts = [part for part in self._pattern.split(text) if part]
        if self._have_rules:
            self._apply_rules(parts)
        return [(part, self._tokens[part].token_id if part in self._tokens else None) for part in parts if part]

    def _apply_rules(self, parts: list[str]) -> None:
        """Strips white space beside tokens, and joins tokens that are no word of their own with a neighbour."""
        for place, part in enumerate(parts):
            token = self._tokens.get(part)
            if token is None:
                continue
            left = parts[place - 1] if place > 0 else ""
            right = parts[place + 1] if place + 1 < len(parts) else ""
            if token.rstrip and right:
                parts[place + 1] = right.lstrip()
            if token.lstrip and left:
                parts[place - 1] = left.rstrip()
            if token.single_word and left and left[-1] != " ":
                parts[place - 1] += part
                parts[place] = ""
            elif token.single_word and right and right[0] != " ":
                parts[place + 1] = part + parts[place + 1]
                parts[place] = ""


def read_added_tokens(path: Path) -> tuple[AddedToken, ...]:
    """Reads the added tokens of a `tokenizer_config.json`, in the order of their ids, without the four of BioGPT.

    Raises:
        VocabularyError: the file cannot be read, or is not of that form.
    """
    text = read_text(path)
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise VocabularyError([f"{path.name} is not JSON ({error})"]) from error
    if not isinstance(config, dict):
        raise VocabularyError([f"{path.name} is not a JSON object"])
    return added_tokens_of(config, path.name)


def added_tokens_of(config: Mapping[str, Any], file_name: str) -> tuple[AddedToken, ...]:
    """Returns the added tokens of the fields of a `tokenizer_config.json`; see `read_added_tokens`.

    Raises:
        VocabularyError: the fields are not of that form.
    """
    entries = config.get(DECODER_FIELD) or {}
    if not isinstance(entries, dict):
        raise VocabularyError([f"{file_name}: {DECODER_FIELD} is not an object of ids to tokens"])
    special = special_contents(config)
    control = {content_of(config.get(name)) for name in CONTROL_NAMES} | set(SPECIAL_TOKENS)
    tokens = [_token(key, entry, special, control, file_name) for key, entry in entries.items()]
    tokens = [token for token in tokens if (token.token_id, token.content) not in enumerate(SPECIAL_TOKENS)]
    _refuse_repeated(tokens, file_name)
    return tuple(sorted(tokens, key=lambda token: token.token_id))


def special_contents(config: Mapping[str, Any]) -> list[str]:
    """Returns the texts of the special tokens that a tokenizer's fields name, each once, in transformers' order."""
    extra: list[object] = []
    for name in EXTRA_NAMES:
        value = config.get(name) or []
        extra += list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else [value]
    named = [content_of(entry) for entry in (*(config.get(name) for name in SPECIAL_NAMES), *extra)]
    return list(dict.fromkeys(content for content in named if content))


def content_of(entry: object) -> str | None:
    """Returns the text of a token that is given as a string, or as an object with the text in `content`."""
    if isinstance(entry, dict):
        entry = entry.get("content")
    return entry if isinstance(entry, str) else None


def tokenizer_config(tokens: Iterable[AddedToken], names: Mapping[str, str]) -> dict[str, Any]:
    """Returns the fields of the `tokenizer_config.json` that names these tokens, as transformers reads it.

    Args:
        tokens: added tokens, without the four of BioGPT.
        names: texts of the special tokens by name, such as "pad_token"; the others are BioGPT's.
    """
    bos, pad, eos, unk = SPECIAL_TOKENS
    named = {"bos_token": bos, "eos_token": eos, "unk_token": unk, "sep_token": eos, "pad_token": pad} | dict(names)
    own = [AddedToken(number, content, is_special=True) for number, content in enumerate(SPECIAL_TOKENS)]
    entries = {
        str(token.token_id): {
            "content": token.content,
            "lstrip": token.lstrip,
            "normalized": not token.is_special,
            "rstrip": token.rstrip,
            "single_word": token.single_word,
            "special": token.is_special,
        }
        for token in (*own, *tokens)
    }
    extra = [token.content for token in tokens if token.is_special and token.content not in named.values()]
    fields = {"tokenizer_class": "BioGptTokenizer", DECODER_FIELD: entries, **named}
    return fields | ({"additional_special_tokens": extra} if extra else {})


def _token(key: str, entry: object, special: list[str], control: set[str | None], file_name: str) -> AddedToken:
    content = content_of(entry)
    is_id = key.isdecimal() and len(key) <= _MOST_DIGITS
    if not is_id or not isinstance(entry, dict) or not content:
        raise VocabularyError(
            [f"{file_name}: {DECODER_FIELD} holds {key[:60]!a}: {str(entry)[:60]!a}, which names no token"]
        )
    flags = {name: entry.get(name, False) for name in ("lstrip", "rstrip", "single_word")}
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise VocabularyError([f"{file_name}: {name} of the token {content[:60]!a} is neither true nor false"])
    return AddedToken(int(key), content, **flags, is_special=content in special, is_control=content in control)


def _refuse_repeated(tokens: Iterable[AddedToken], file_name: str) -> None:
    ids: dict[str, int] = dict(zip(SPECIAL_TOKENS, range(len(SPECIAL_TOKENS)), strict=True))
    for token in tokens:
        if token.content in ids:
            both = f"{ids[token.content]} and {token.token_id}"
            raise VocabularyError([f"{file_name}: the token {token.content[:60]!a} has two ids, {both}"])
        ids[token.content] = token.token_id
