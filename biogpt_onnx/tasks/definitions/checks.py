"""Checks of the settings of tasks, made where a task or its specification is constructed."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

from biogpt_onnx.runtime.decoding import checks
from biogpt_onnx.runtime.decoding.checks import Check
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.plain_values import plain_number, shown
from biogpt_onnx.runtime.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def check_settings(owner: str, settings: "DataclassInstance") -> None:
    """Refuses settings of another type, and turns lists into tuples.

    Args:
        owner: The task, or what else has the settings, at the beginning of a message.
        settings: A frozen dataclass; fields that no other class has are left to the class itself.

    Raises:
        ConfigError: A setting is of another type; the message names the owner and the setting.
    """
    for field in fields(settings):
        if field.name not in _CHECKS:
            continue
        try:
            value = _CHECKS[field.name](field.name, getattr(settings, field.name))
        except ConfigError as error:
            raise ConfigError(f"{owner}: {error}") from error
        object.__setattr__(settings, field.name, value)


def owner_of(task: object) -> str:
    """Returns a task as messages name it."""
    name = getattr(task, "name", None)
    return f"task {name}" if isinstance(name, str) else f"a {type(task).__name__}"


def text(name: str, value: object) -> str:
    """Checks a text, which may be empty."""
    if not isinstance(value, str):
        raise ConfigError(f"{name} is {shown(value)}: give a string")
    return value


def _filled_text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{name} is {shown(value)}: give a string that is not empty")
    return value


def _pairs(name: str, value: object) -> tuple[tuple[str, str], ...]:
    if isinstance(value, str | bytes) or not isinstance(value, Sequence) or not all(map(_is_pair, value)):
        raise ConfigError(f"{name} is {shown(value)}: give pairs of strings")
    return tuple((first, second) for first, second in value)


def _is_pair(value: object) -> bool:
    if not isinstance(value, tuple | list) or len(value) != 2:  # noqa: PLR2004 -- a pair
        return False
    return all(isinstance(each, str) for each in value)


def _function(name: str, value: object) -> object:
    if not callable(value):
        raise ConfigError(f"{name} is {shown(value)}: give a function")
    return value


def _config(name: str, value: object) -> GenerationConfig:
    if not isinstance(value, GenerationConfig):
        raise ConfigError(f"{name} is {shown(value)}: give a GenerationConfig")
    return value


def _probability(name: str, value: object) -> float:
    plain = plain_number(value)
    if isinstance(plain, bool) or not isinstance(plain, int | float) or not 0 <= plain <= 1:
        raise ConfigError(f"{name} is {shown(value)}: give a probability, a number from 0 to 1")
    return float(plain)


_CHECKS: Mapping[str, Check] = {
    "name": text,
    "statement": text,
    "sentence": text,
    "template": text,
    "relation": text,
    "labels": checks.strings,
    "alone": checks.strings,
    "separator": _filled_text,
    "head_type": text,
    "tail_type": text,
    "type_names": _pairs,
    "soft_prompt_size": checks.optional(checks.whole_number(0)),
    "source": _function,
    "parse": _function,
    "config": _config,
    "least_new_tokens": checks.whole_number(1),
    "lower": checks.flag,
    "distinct": checks.flag,
    "needs_question": checks.flag,
    "min_score": _probability,
    "title": text,
    "checkpoints": checks.strings,
    "known_by_soft_prompt": checks.flag,
    "fine_tuned": checks.flag,
    "metrics": checks.strings,
    "gold_reader": text,
    "report": text,
    "gold_entities": checks.flag,
    "gold_conclusions": checks.flag,
}
"""The check of each setting by its name, which means the same in every class that has it."""
