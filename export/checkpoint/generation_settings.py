"""Reader of the decoding that a checkpoint's authors chose: end tokens, and default settings of `generate`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from biogpt_onnx.export.checkpoint.contents import GENERATION_FIELDS, Meaning, check_fields, find
from biogpt_onnx.export.checkpoint.files.source_file import read_json_object
from biogpt_onnx.export.checkpoint.validate import Problems, printable
from biogpt_onnx.runtime.decoding.config import ONLY_BEAMS, ONLY_SAMPLING, GenerationConfig
from biogpt_onnx.runtime.errors import CheckpointError, ConfigError
from biogpt_onnx.runtime.tokenizer.vocabulary import EOS_ID

FILE = "generation_config.json"
_ADVICE = " (or leave the decoding of this file out with --ignore-generation-config)"
_EOS = "eos_token_id"

# With sampling, transformers cuts to 50 tokens unless the file says otherwise.
_TOP_K = 50
# Values that transformers writes although nobody chose them.
_DEFAULTS: dict[str, object] = {
    "max_length": 20,
    "temperature": 1.0,
    "top_k": _TOP_K,
    "top_p": 1.0,
    "typical_p": 1.0,
    "min_p": 0.0,
    "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0,
    "length_penalty": 1.0,
    "early_stopping": False,
}


@dataclass(frozen=True)
class GenerationSettings:
    """Decoding that a checkpoint asks for.

    Attributes:
        end_token_ids: tokens that end a text.
        settings: fields of `GenerationConfig` by name, where they differ from its defaults.
    """

    end_token_ids: tuple[int, ...] = (EOS_ID,)
    settings: Mapping[str, Any] = field(default_factory=dict)


def read_generation_settings(
    folder: Path, config: Mapping[str, object], problems: Problems, *, ignore: bool = False
) -> GenerationSettings:
    """Reads `generation_config.json`, or where there is none the fields of `config.json`, as transformers does.

    Args:
        folder: folder of the checkpoint.
        config: content of `config.json`.
        problems: gets what is not supported, and notes on what is left out.
        ignore: True to read end tokens alone.
    """
    path = folder / FILE
    legacy = {name: value for name, value in config.items() if _is_setting(name)}
    content, name = legacy, "config.json"
    if path.exists():
        content, name = problems.collect(read_json_object, path) or {}, FILE
        problems.note(
            *(
                f"config.json: {key} is not read: {FILE} is"
                for key in _chosen(legacy)
                if legacy[key] != content.get(key)
            )
        )
    stated = config.get("vocab_size")
    vocab_size = stated if type(stated) is int else None
    end = content.get(_EOS) if content.get(_EOS) is not None else config.get(_EOS, EOS_ID)
    end_token_ids = problems.collect(_end_tokens, end, name, vocab_size)
    if end_token_ids == ():
        problems.note("no token ends a text: texts end at max_new_tokens")
    settings = {} if ignore else _settings(content, name, vocab_size, problems)
    if ignore and (left := _chosen(content)):
        problems.note(f"{name}: left out, as you asked: {', '.join(left)}")
    return GenerationSettings((EOS_ID,) if end_token_ids is None else end_token_ids, settings)


def _is_setting(name: str) -> bool:
    entry = find(GENERATION_FIELDS, name)
    return entry is not None and name != _EOS and entry.meaning is not Meaning.HARMLESS


def _is_read(name: str) -> bool:
    entry = find(GENERATION_FIELDS, name)
    return entry is not None and entry.meaning is Meaning.READ


def _chosen(content: Mapping[str, object]) -> list[str]:
    """Returns the settings that differ from what transformers writes by default."""
    found = []
    for name, value in content.items():
        entry = find(GENERATION_FIELDS, name)
        if _is_setting(name) and entry is not None and not entry.is_neutral(value) and not _is_default(name, value):
            found.append(name)
    return found


def _is_default(name: str, value: object) -> bool:
    if name in _DEFAULTS:
        return value == _DEFAULTS[name]
    fields = GenerationConfig.__dataclass_fields__
    return name in fields and name != "max_new_tokens" and value in (fields[name].default, [])


def _end_tokens(value: object, file_name: str, vocab_size: int | None) -> tuple[int, ...]:
    ids = value if isinstance(value, list) else [] if value is None else [value]
    for token in ids:
        if type(token) is not int or token < 0:
            raise CheckpointError(f"{file_name}: {_EOS} is {printable(repr(value))}; it must be a token id or several")
        if vocab_size is not None and token >= vocab_size:
            raise CheckpointError(f"{file_name}: {_EOS} names token {token}, outside the vocabulary of {vocab_size:,}")
    return tuple(dict.fromkeys(ids))


def _settings(
    content: Mapping[str, object], file_name: str, vocab_size: int | None, problems: Problems
) -> dict[str, Any]:
    check_fields(file_name, content, GENERATION_FIELDS, problems, _ADVICE)
    names = GenerationConfig.__dataclass_fields__
    settings: dict[str, Any] = {name: content[name] for name in _chosen(content) if name in names and _is_read(name)}
    if content.get("do_sample") is True:
        settings.setdefault("top_k", _TOP_K if content.get("top_k") is None else content["top_k"])
    for group, applies, remedy in (
        (ONLY_SAMPLING, content.get("do_sample") is True, "nothing is sampled"),
        (ONLY_BEAMS, settings.get("num_beams", 1) != 1, "there are no beams"),
    ):
        for name in () if applies else [name for name in group if name in settings]:
            problems.note(f"{file_name}: {name} {printable(repr(settings.pop(name)))} has no effect: {remedy}")
    for name, instead in (("max_length", "max_new_tokens"), ("min_length", "min_new_tokens")):
        if name in settings and settings.get(instead):
            problems.note(f"{file_name}: {name} {printable(repr(settings.pop(name)))} has no effect: {instead} has")
    try:
        config = GenerationConfig().replace(**settings)
        if vocab_size is not None:
            config.check_vocabulary(vocab_size)
    except ConfigError as error:
        problems.add(f"{file_name}: {error}{_ADVICE}")
    return settings
