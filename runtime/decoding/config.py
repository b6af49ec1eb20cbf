"""What a caller may say about a generation."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from biogpt_onnx.runtime.errors import ConfigError

Truncation = Literal["error", "left", "right"]


@dataclass(frozen=True, kw_only=True)
class GenerationConfig:
    """How to continue a prompt. Names are those of transformers where it has the setting.

    Attributes:
        max_new_tokens: most tokens to generate; fewer when the model's positions run out first.
        min_new_tokens: tokens before which `eos_token_id` is never chosen.
        eos_token_id: the token that ends a sequence; None goes on to `max_new_tokens`.
        stop_strings: generation ends where any of these appears, and the text ends before it. One string, or several.
        truncation: what to do with a prompt longer than the model's positions: raise an error, or drop tokens on the
            left (after the first, which starts every sequence) or on the right, so that `max_new_tokens` fit.
        special_tokens: whether `</s>` and the like in a prompt are special tokens rather than text.
        normalize_punctuation: whether typographic punctuation, which BioGPT's vocabulary lacks, is read as ASCII.
    """

    max_new_tokens: int = 64
    min_new_tokens: int = 0
    eos_token_id: int | None = 2
    stop_strings: Sequence[str] = ()
    truncation: Truncation = "error"
    special_tokens: bool = False
    normalize_punctuation: bool = False

    def __post_init__(self) -> None:
        """Refuses bad values.

        Raises:
            ConfigError: names the field.
        """
        object.__setattr__(self, "stop_strings", _stop_strings(self.stop_strings))
        _require_whole_number("max_new_tokens", self.max_new_tokens, least=1)
        _require_whole_number("min_new_tokens", self.min_new_tokens, least=0)
        if self.min_new_tokens > self.max_new_tokens:
            raise ConfigError(
                f"min_new_tokens is {self.min_new_tokens}, above max_new_tokens {self.max_new_tokens}: raise the latter"
            )
        if self.eos_token_id is not None:
            _require_whole_number("eos_token_id", self.eos_token_id, least=0)
        if self.truncation not in get_args(Truncation):
            raise ConfigError(f"truncation is {self.truncation!r}: choose one of {', '.join(get_args(Truncation))}")
        for name in ("special_tokens", "normalize_punctuation"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"{name} is {getattr(self, name)!r}: give True or False")

    def replace(self, **settings: Any) -> Self:  # noqa: ANN401 -- each setting is checked by the new configuration
        """The same configuration with other values for some settings.

        Raises:
            ConfigError: there is no such setting, or its value is bad.
        """
        names = [field.name for field in dataclasses.fields(self)]
        for name in settings:
            if name not in names:
                raise ConfigError(f"{name} is not a setting of this version: choose from {', '.join(names)}")
        return dataclasses.replace(self, **settings)


def _stop_strings(value: object) -> tuple[str, ...]:
    strings = (value,) if isinstance(value, str) else value
    if not isinstance(strings, Sequence) or not all(isinstance(stop, str) and stop for stop in strings):
        raise ConfigError(f"stop_strings is {value!r}: give strings that are not empty")
    return tuple(strings)


def _require_whole_number(name: str, value: object, *, least: int) -> None:
    if type(value) is not int or value < least:
        raise ConfigError(f"{name} is {value!r}: give a whole number of {least} or more")
