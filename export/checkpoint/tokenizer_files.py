"""Reader of the files that name added tokens, in the forms that transformers has written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from biogpt_onnx.export.checkpoint.contents import TOKENIZER_FIELDS, check_fields
from biogpt_onnx.export.checkpoint.files.source_file import read_json_object
from biogpt_onnx.export.checkpoint.validate import Problems
from biogpt_onnx.runtime.errors import CheckpointError
from biogpt_onnx.runtime.tokenizer.added_tokens import (
    DECODER_FIELD,
    SPECIAL_NAMES,
    AddedToken,
    added_tokens_of,
    content_of,
    special_contents,
)
from biogpt_onnx.runtime.tokenizer.vocabulary import SPECIAL_TOKENS

_CONFIG, _MAP, _IDS = "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"


@dataclass(frozen=True)
class AddedTokens:
    """Tokens that a checkpoint's tokenizer has beside its vocabulary.

    Attributes:
        tokens: added tokens in the order of their ids, without the four of BioGPT.
        names: texts of special tokens by name, such as "pad_token".
    """

    tokens: tuple[AddedToken, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)


NONE = AddedTokens()


def read_tokenizer_files(folder: Path, symbols: Sequence[str], problems: Problems) -> AddedTokens:
    """Reads `tokenizer_config.json`, or in older folders `special_tokens_map.json` and `added_tokens.json`.

    Args:
        folder: folder of the vocabulary.
        symbols: symbols of the vocabulary in the order of the ids, those of a soft prompt included.
        problems: gets what is not supported, and notes on what is not read.

    Raises:
        CheckpointError: a file is malformed.
        VocabularyError: the tokens are malformed.
    """
    config = _read(folder / _CONFIG)
    check_fields(_CONFIG, config, TOKENIZER_FIELDS, problems)
    source = _CONFIG
    if DECODER_FIELD not in config:
        legacy = _read(folder / _MAP)
        check_fields(_MAP, legacy, TOKENIZER_FIELDS, problems)
        ids = _read(folder / _IDS)
        source = _IDS if ids else _CONFIG
        config = config | legacy | {DECODER_FIELD: _decoder(ids)}
    config = config | {DECODER_FIELD: _with_special(config, symbols)}
    tokens = added_tokens_of(config, source)
    names = {name: content for name in SPECIAL_NAMES if (content := content_of(config.get(name)))}
    return AddedTokens(tokens, names) if tokens else NONE


def _read(path: Path) -> dict[str, Any]:
    return read_json_object(path) if path.exists() else {}


def _decoder(ids: Mapping[str, object]) -> dict[str, object]:
    for content, number in ids.items():
        if type(number) is not int or number < 0:
            raise CheckpointError(f"{_IDS}: the id of {content[:60]!a} is {str(number)[:60]!a}, no whole number")
    return {str(number): {"content": content} for content, number in ids.items()}


def _with_special(config: Mapping[str, Any], symbols: Sequence[str]) -> dict[str, object]:
    """Returns the added tokens by id with the special tokens that have none, which get ids as transformers gives them.

    Such a token is the symbol of that name, or else a new one behind all others.
    """
    entries: dict[str, Any] = dict(config.get(DECODER_FIELD) or {})
    known = {content_of(entry) for entry in entries.values()}
    ids = dict(zip(symbols, range(len(symbols)), strict=True))
    new = len(ids.keys() | {content for content in known if content})
    for content in special_contents(config):
        if content in known or content in SPECIAL_TOKENS:
            continue
        number = ids.get(content, new)
        new += number == new
        entries[str(number)] = {"content": content}
    return entries
