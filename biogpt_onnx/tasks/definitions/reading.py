"""Reading a task's definition from a TOML file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.tasks.definitions.kinds import KINDS, OTHER_NAMES, DefinedTask, Kind
from biogpt_onnx.tasks.definitions.suggestions import did_you_mean
from biogpt_onnx.tasks.definitions.toml_table import Table, read_table
from biogpt_onnx.tasks.labels import AnswerTask
from biogpt_onnx.tasks.prompts.template import PromptTemplate

SUFFIX = ".toml"
"""The ending of a definition's file name, by which it is told from the name of a task."""


def read_task(path: Path) -> DefinedTask:
    """Reads a task that a TOML file defines.

    Args:
        path: The file. Its key `kind` says which keys it may have; these are the fields of the kind's class, and
            `prompt`, `lower` and the table `decoding`.

    Raises:
        ConfigError: The file is no TOML, has an unknown key, lacks one, or gives it a bad value; the message names the
            file and the key.
        OSError: The file cannot be read.
    """
    table = read_table(path)
    kind = _kind(table)
    settings = table.settings(kind.all_keys, ("kind", "name", *kind.required))
    del settings["kind"]
    # A file that does not say it takes whatever soft prompt the bundle has.
    settings.setdefault("soft_prompt_size", None)
    try:
        return _task(kind, settings, table.where)
    except ConfigError as error:
        message = str(error)
        raise error if message.startswith(table.where) else ConfigError(f"{table.where}: {message}") from error


def _kind(table: Table) -> Kind:
    given = table.values.get("kind")
    if given is None:
        raise ConfigError(f"{table.where}: the key 'kind' is missing: it must be one of {', '.join(KINDS)}")
    name = OTHER_NAMES.get(given, given) if isinstance(given, str) else ""
    if name not in KINDS:
        hint = did_you_mean(name, KINDS)
        raise ConfigError(f"{table.where}: the key 'kind' is {given!r}{hint}: it must be one of {', '.join(KINDS)}")
    return KINDS[name]


def _task(kind: Kind, settings: dict[str, Any], where: str) -> DefinedTask:
    prompt, lower = settings.pop("prompt", None), settings.pop("lower", None)
    if prompt is not None:
        settings["source"] = template = _template(prompt, lower=bool(lower))
        if kind.task_type is AnswerTask:
            settings["needs_question"] = template.has_question
    elif lower is not None:
        raise ConfigError("the key 'lower' is for a prompt of its own: give the key 'prompt' too, or leave it out")
    decoding = settings.pop("decoding", None)
    if decoding is not None:
        settings["config"] = _decoding(kind, decoding, f"{where}, table decoding")
    return kind.task_type(**settings)


def _template(prompt: str, *, lower: bool) -> PromptTemplate:
    try:
        return PromptTemplate(prompt, lower)
    except ConfigError as error:
        raise ConfigError(f"the key 'prompt': {error}") from error


def _decoding(kind: Kind, given: Mapping[str, Any], where: str) -> GenerationConfig:
    default: GenerationConfig = kind.task_type.config
    known = [name for name in GenerationConfig.__dataclass_fields__ if name != "logits_processors"]
    for name in given:
        if name not in known:
            raise ConfigError(f"{where}: the key {name!r} is unknown{did_you_mean(name, known)}: see GenerationConfig")
    try:
        return default.replace(**given)
    except (ConfigError, TypeError) as error:
        raise ConfigError(f"{where}: {error}") from error
