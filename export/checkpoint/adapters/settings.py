"""Settings of an adapter: `adapter_config.json`."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biogpt_onnx.export.checkpoint.contents import ADAPTER_FIELDS, check_fields
from biogpt_onnx.export.checkpoint.files.source_file import read_json_object
from biogpt_onnx.export.checkpoint.validate import Problems, printable
from biogpt_onnx.runtime.errors import CheckpointError

FILE = "adapter_config.json"

_VIRTUAL_TOKENS = {"PROMPT_TUNING", "MULTITASK_PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "ADAPTION_PROMPT", "CPT"}
# Initial values that leave the base's weights as they are; the others move a part of them into the adapter.
_INITIAL_VALUES = (True, False, "gaussian", "orthogonal", "eva")
# Patterns that could take a regular expression long: a repeated group, or many repetitions.
_SLOW_PATTERN = re.compile(r"\)\s*[*+{?]|(?:[*+{].*){4}")


@dataclass(frozen=True)
class AdapterSettings:
    """Settings that the merge needs.

    Attributes:
        alpha: numerator of the scaling.
        alpha_patterns: other numerators, by regular expressions of the ends of modules' names.
        rank_stabilized: True if the scaling is alpha / sqrt(rank) instead of alpha / rank.
        modules_to_save: ends of the names of modules that the adapter replaces.
        token_ids: rows of the embedding that the adapter replaces, in the order in which it stores them.
        base: base model that it was trained on; None where the file does not say.
    """

    alpha: float
    alpha_patterns: Mapping[str, float]
    rank_stabilized: bool
    modules_to_save: tuple[str, ...]
    token_ids: tuple[int, ...]
    base: str | None

    def scaling(self, module: str, rank: int) -> float:
        """Returns the factor of the matrix that is added to a module's weight.

        Args:
            module: Hugging Face name of the module, such as "biogpt.layers.0.fc1".
            rank: rank of the matrix.
        """
        found = (value for key, value in self.alpha_patterns.items() if re.match(rf"(.*\.)?({key})$", module))
        alpha = next(found, self.alpha)
        return alpha / (rank**0.5 if self.rank_stabilized else rank)


def read_adapter_settings(folder: Path, problems: Problems) -> AdapterSettings:
    """Reads `adapter_config.json`.

    Args:
        folder: folder of the adapter.
        problems: gets what is not supported, and notes on what is not read.

    Raises:
        CheckpointError: the file cannot be read, or is of an adapter that cannot be merged.
    """
    config = read_json_object(folder / FILE)
    kind = config.get("peft_type")
    if isinstance(kind, str) and kind in _VIRTUAL_TOKENS:
        raise CheckpointError(
            f"{FILE}: peft_type is {printable(repr(kind))}: it adds vectors to prompts, which no weights can hold, so "
            "it cannot be merged or exported"
        )
    if kind != "LORA":
        raise CheckpointError(
            f"{FILE}: peft_type is {printable(repr(kind))}; only 'LORA' is merged here: merge it with peft "
            "(merge_and_unload), save the model and export that"
        )
    check_fields(FILE, config, ADAPTER_FIELDS, problems)
    initial = config.get("init_lora_weights", True)
    if not any(type(initial) is type(one) and initial == one for one in _INITIAL_VALUES):
        problems.add(
            f"{FILE}: init_lora_weights is {printable(repr(initial))}, which moves a part of the base's weights into "
            "the adapter: merge it with peft, or convert it to plain LoRA when saving "
            "(path_initial_model_for_weight_conversion)"
        )
    base = config.get("base_model_name_or_path")
    return AdapterSettings(
        alpha=_number(config, "lora_alpha", config.get("lora_alpha", 8)),
        alpha_patterns=_patterns(config),
        rank_stabilized=config.get("use_rslora") is True,
        modules_to_save=_names(config),
        token_ids=_token_ids(config),
        base=base if isinstance(base, str) and base else None,
    )


def _number(config: Mapping[str, Any], name: str, value: object) -> float:
    # Larger whole numbers than floating-point ones are not to be converted.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise CheckpointError(f"{FILE}: {name} is {printable(repr(config.get(name)))}; it must hold numbers")
    return float(value)


def _patterns(config: Mapping[str, Any]) -> dict[str, float]:
    patterns = config.get("alpha_pattern") or {}
    if not isinstance(patterns, dict):
        raise CheckpointError(f"{FILE}: alpha_pattern is no object of names to numbers")
    for pattern in patterns:
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise CheckpointError(f"{FILE}: alpha_pattern holds {printable(repr(pattern))} ({error})") from error
        if _SLOW_PATTERN.search(pattern):
            raise CheckpointError(
                f"{FILE}: alpha_pattern holds {printable(repr(pattern))}: name modules without repetitions"
            )
    return {pattern: _number(config, "alpha_pattern", value) for pattern, value in patterns.items()}


def _names(config: Mapping[str, Any]) -> tuple[str, ...]:
    names = config.get("modules_to_save") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise CheckpointError(f"{FILE}: modules_to_save is {printable(repr(names))}; it must be a list of names")
    return tuple(names)


def _token_ids(config: Mapping[str, Any]) -> tuple[int, ...]:
    ids = config.get("trainable_token_indices") or []
    if isinstance(ids, dict):
        if len(ids) != 1:
            raise CheckpointError(f"{FILE}: trainable_token_indices names several modules; only the embedding has any")
        ids = next(iter(ids.values()))
    if not isinstance(ids, list) or not all(type(number) is int and number >= 0 for number in ids):
        raise CheckpointError(f"{FILE}: trainable_token_indices is {printable(repr(ids))}; it must be a list of ids")
    if len(set(ids)) < len(ids):
        raise CheckpointError(f"{FILE}: trainable_token_indices names a token twice")
    return tuple(ids)
