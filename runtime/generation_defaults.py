"""Default settings of a bundle: those that the checkpoint's authors chose for its texts."""

from collections.abc import Mapping
from typing import Any

from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.decoding.config import (
    INSTEAD_OF,
    MODEL,
    ONLY_BEAMS,
    ONLY_SAMPLING,
    SETTING_NAMES,
    GenerationConfig,
    default_of,
)
from biogpt_onnx.runtime.decoding.other_names import own_settings
from biogpt_onnx.runtime.errors import BundleError, ConfigError
from biogpt_onnx.runtime.tokenizer.vocabulary import EOS_ID


def default_settings(manifest: Manifest) -> dict[str, Any]:
    """Returns the settings that a bundle makes the default of `generate`, by name; none for most bundles.

    Raises:
        BundleError: a setting is not one of this version, or has a bad value.
    """
    settings = dict(manifest.generation or {})
    try:
        GenerationConfig().replace(**settings)
    except ConfigError as error:
        raise BundleError(
            f"the bundle's own settings cannot be used ({error}): export the checkpoint again, with "
            "--ignore-generation-config"
        ) from error
    return settings


def config_with_defaults(defaults: Mapping[str, Any], settings: Mapping[str, Any]) -> GenerationConfig:
    """Returns a configuration of a caller's settings over a bundle's defaults.

    A default that excludes one of the caller's settings gives way to it.

    Args:
        defaults: a bundle's settings by name.
        settings: the caller's settings by name.

    Raises:
        ConfigError: there is no such setting, or its value is bad.
    """
    own = own_settings(settings, SETTING_NAMES)
    settings = {name: default_of(name) if value is None else value for name, value in own.items()}
    replaced = [other for name, other in INSTEAD_OF.items() if settings.get(name)]
    if settings.get("truncation", "error") != "error":
        replaced.append("max_length")
    kept = {name: value for name, value in defaults.items() if name not in settings and name not in replaced}
    if settings.get("do_sample") or settings.get("prompt_lookup_num_tokens"):
        kept.pop("num_beams", None)
    if settings.get("num_beams", 1) != 1 or settings.get("prompt_lookup_num_tokens"):
        kept.pop("do_sample", None)
    chosen = kept | dict(settings)
    if chosen.get("do_sample") or chosen.get("num_beams", 1) != 1:
        kept.pop("prompt_lookup_num_tokens", None)
    for names, applies in ((ONLY_SAMPLING, chosen.get("do_sample")), (ONLY_BEAMS, chosen.get("num_beams", 1) != 1)):
        for name in () if applies else names:
            kept.pop(name, None)
    if kept.keys() & {"num_return_sequences"} and not chosen.get("do_sample") and chosen.get("num_beams", 1) == 1:
        del kept["num_return_sequences"]
    if settings.keys() & {"max_new_tokens", "max_length"}:
        for name in ("min_new_tokens", "min_length"):
            kept.pop(name, None)
    return GenerationConfig().replace(**kept | dict(settings))


def with_end_tokens(config: GenerationConfig, manifest: Manifest) -> GenerationConfig:
    """Returns a configuration whose end tokens are a model's where it asks for those."""
    if config.eos_token_id != MODEL or manifest.end_token_ids == (EOS_ID,):
        return config
    return config.replace(eos_token_id=manifest.end_token_ids or None)
