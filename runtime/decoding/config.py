"""The configuration of a generation."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal, Self, TypeVar, get_args

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding import checks
from biogpt_onnx.runtime.decoding.checks import Check
from biogpt_onnx.runtime.decoding.other_names import own_settings
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.tokenizer.vocabulary import EOS_ID

Truncation = Literal["error", "left", "right"]

MODEL: Literal["model"] = "model"
"""Value of `eos_token_id` that stands for the end tokens of the model."""

T = TypeVar("T")

CustomProcessor = Callable[[npt.NDArray[np.int64], npt.NDArray[np.float32]], npt.NDArray[np.float32]]
"""A caller's own rule: takes a sequence's ids, prompt included, and the logits [vocab] after it; returns logits."""

CustomStop = Callable[[npt.NDArray[np.int64], str], bool]
"""A caller's own end: takes a sequence's ids, prompt included, and its new text so far; returns True to end it."""

DEFAULT_NEW_TOKENS = 64
"""Most new tokens if neither `max_new_tokens` nor `max_length` is given."""


def _with_known_names(kind: type[T]) -> type[T]:
    """Has a dataclass of settings answer names that it lacks as `own_settings` does, and not with a TypeError."""
    initialize = kind.__init__

    @wraps(initialize)
    def __init__(self: T, **settings: object) -> None:  # noqa: N807 -- it is one
        initialize(self, **own_settings(settings, tuple(kind.__annotations__)))

    kind.__init__ = __init__  # type: ignore[assignment]
    return kind


@_with_known_names
@dataclass(frozen=True, kw_only=True)
class GenerationConfig:
    """The settings of a generation.

    Names, meanings and the order of the rules are transformers' where it has the setting. Unlike there, no token is
    cut off by default: `top_k` is 0. None turns a setting off, which is its default. Numbers and ids may also be those
    of numpy and torch, and lists of ids arrays or tensors.

    Attributes:
        max_new_tokens: most tokens to generate, by default 64; fewer if the model's positions run out first. None if
            `max_length` is given.
        min_new_tokens: number of new tokens before which no token of `eos_token_id` is selected.
        max_length: most tokens of the prompt and the new ones together, instead of `max_new_tokens`; the tokenizer puts
            `</s>` before each prompt, which counts.
        min_length: number of tokens, those of the prompt included, before which no token of `eos_token_id` is selected;
            instead of `min_new_tokens`.
        max_time: seconds after which generation ends with the tokens so far; checked after each step, and between the
            chunks of 512 tokens in which a prompt is read. None for no limit.
        eos_token_id: token that ends a sequence, or several of which each does; "model" for those of the model, which
            are `</s>` (2) unless its checkpoint has others; None to go on to `max_new_tokens`.
        stop_strings: strings at whose first appearance generation ends; the text ends before it. One string, or
            several. A string that begins in the prompt and is completed by the new text counts, as in transformers.
        stopping_criteria: the caller's own ends: functions that are called after each new token with a sequence's ids,
            prompt included, and its new text so far, and return True to end it there. Each sequence is asked for by
            itself.
        num_beams: number of beams that are followed at once; 1 for no beam search.
        num_return_sequences: number of continuations that are returned for each prompt: the best beams, or samples.
        length_penalty: with beams, exponent of the length in a hypothesis's score, which is its log-probability /
            length ** length_penalty.
        early_stopping: with beams, condition for stopping: True as soon as there are `num_beams` finished hypotheses;
            False when a better one is unlikely; "never" when no better one is possible.
        do_sample: True to draw tokens at random; False to take the most likely.
        seed: number that makes sampling repeatable. One for all prompts (two equal prompts are then continued alike),
            or one for each prompt. None for different samples each time.
        temperature: divisor of the logits before sampling; below 1 sharpens, above 1 flattens.
        top_k: number of most likely tokens to sample from; 0 for all.
        top_p: probability that the most likely tokens to sample from have together; 1 for all.
        min_p: least probability of the tokens to sample from, as a share of the most likely one's; 0 for all.
        typical_p: probability that the tokens to sample from have together, those whose surprise is nearest to the
            expected one; 1 for all.
        epsilon_cutoff: least probability of the tokens to sample from; 0 for all.
        eta_cutoff: least probability of the tokens to sample from, lowered where the distribution is flat; 0 for all.
        repetition_penalty: factor that makes tokens that have appeared, in the prompt too, less likely; 1 for none.
        presence_penalty: number that is subtracted from the logit of each token that is among a sequence's new ones, as
            OpenAI defines it; from -2 to 2. 0 for none.
        frequency_penalty: number that is subtracted from the logit of each token as often as it is among a sequence's
            new ones, as OpenAI defines it; from -2 to 2. 0 for none.
        no_repeat_ngram_size: length of the sequences of tokens that may not appear twice, the prompt included; 0 for no
            such rule.
        bad_words_ids: sequences of tokens that are never completed.
        sequence_bias: sequences of tokens, each with a number that is added to the logit of its last token when the
            others stand before it. A mapping, or pairs.
        suppress_tokens: tokens that are never selected.
        begin_suppress_tokens: tokens that are never selected as the first new one.
        forced_bos_token_id: first new token of a prompt that is nothing but the starting token.
        forced_eos_token_id: last token of a sequence that reaches `max_new_tokens`.
        logits_processors: the caller's own rules, applied after the other rules and before those of sampling.
        prompt_lookup_num_tokens: most tokens of a draft, which repeats the tokens that followed the last ones earlier,
            in the prompt or in the text so far, and is verified in one pass. Drafts change no token, only the time for
            a text that repeats its source. 0 for no drafts.
        max_matching_ngram_size: most tokens that are compared to find a draft.
        truncation: treatment of a prompt longer than the model's positions: "error" to raise an error, "left" to drop
            tokens on the left (after the first, which starts every sequence), "right" to drop them on the right, so
            that `max_new_tokens` fit. At least half of the positions stay the prompt's: beyond that there are fewer new
            tokens. `Usage.dropped_tokens` says how many were dropped.
        special_tokens: True to read `</s>` and the like in a prompt as special tokens rather than as text.
        normalize_punctuation: True to read typographic punctuation, which BioGPT's vocabulary lacks, as ASCII.
        logprobs: number of most probable tokens that the result holds for the place of each new token, with their
            log-probabilities by the model alone, before any rule; see `Hypothesis.logprobs`. 0 or None for none. Beams
            take one more pass over the prompt and each returned text.
    """

    max_new_tokens: int | None = None
    min_new_tokens: int = 0
    max_length: int | None = None
    min_length: int = 0
    max_time: float | None = None
    eos_token_id: int | Sequence[int] | Literal["model"] | None = "model"  # noqa: S105 -- no password
    stop_strings: Sequence[str] = ()
    stopping_criteria: Sequence[CustomStop] = ()
    num_beams: int = 1
    num_return_sequences: int = 1
    length_penalty: float = 1.0
    early_stopping: bool | Literal["never"] = False
    do_sample: bool = False
    seed: int | Sequence[int] | None = None
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    typical_p: float = 1.0
    epsilon_cutoff: float = 0.0
    eta_cutoff: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    no_repeat_ngram_size: int = 0
    bad_words_ids: Sequence[Sequence[int]] = ()
    sequence_bias: Mapping[tuple[int, ...], float] | Sequence[tuple[Sequence[int], float]] = ()
    suppress_tokens: Sequence[int] = ()
    begin_suppress_tokens: Sequence[int] = ()
    forced_bos_token_id: int | None = None
    forced_eos_token_id: int | None = None
    logits_processors: Sequence[CustomProcessor] = ()
    prompt_lookup_num_tokens: int = 0
    max_matching_ngram_size: int = 3
    truncation: Truncation = "error"
    special_tokens: bool = False
    normalize_punctuation: bool = False
    logprobs: int | None = 0

    def __post_init__(self) -> None:
        """Refuses bad values, and settings that exclude each other.

        Raises:
            ConfigError: a value is bad, or settings conflict; the message names the fields and the remedy.
        """
        for name, check in _CHECKS.items():
            value = getattr(self, name)
            object.__setattr__(self, name, check(name, default_of(name) if value is None else value))
        if self.max_new_tokens is None and self.max_length is None:
            object.__setattr__(self, "max_new_tokens", DEFAULT_NEW_TOKENS)
        _refuse_conflicts(self)

    def replace(self, **settings: Any) -> Self:  # noqa: ANN401 -- each setting is checked by the new configuration
        """Returns the configuration with other values for some settings.

        Of `max_new_tokens` and `max_length`, and of `min_new_tokens` and `min_length`, the new one replaces the other.
        Settings of transformers that change nothing here, such as `use_cache`, are taken and dropped.

        Raises:
            ConfigError: there is no such setting, or its value is bad.
        """
        own = own_settings(settings, SETTING_NAMES)
        replaced = [other for name, other in INSTEAD_OF.items() if own.get(name) is not None]
        chosen: dict[str, Any] = dict.fromkeys(replaced) | own
        return dataclasses.replace(self, **chosen)

    def most_new_tokens(self, prompt_length: int) -> int:
        """Returns the most new tokens behind a prompt of so many tokens, as the settings say.

        Raises:
            ConfigError: `max_length` leaves no room for a new token.
        """
        if self.max_length is None:
            return DEFAULT_NEW_TOKENS if self.max_new_tokens is None else self.max_new_tokens
        if self.max_length <= prompt_length:
            raise ConfigError(
                f"max_length is {self.max_length:,}, which counts the prompt, too, and a prompt has {prompt_length:,} "
                "tokens: raise it, or give max_new_tokens"
            )
        return self.max_length - prompt_length

    def check_vocabulary(self, vocab_size: int) -> None:
        """Refuses settings that name tokens outside a model's vocabulary, or more than it has.

        Raises:
            ConfigError: a token is outside, or there are too few; the message names the field and the token.
        """
        for name, token in self._named_tokens():
            if token >= vocab_size:
                raise ConfigError(f"{name} names token {token}, outside the vocabulary of {vocab_size:,}")
        check_logprobs(self.logprobs, vocab_size)

    @property
    def end_token_ids(self) -> tuple[int, ...]:
        """Tokens that end a sequence; `</s>` alone for "model", none for None."""
        if self.eos_token_id == MODEL:
            return (EOS_ID,)
        if self.eos_token_id is None:
            return ()
        return (self.eos_token_id,) if isinstance(self.eos_token_id, int) else tuple(self.eos_token_id)

    def _named_tokens(self) -> Iterator[tuple[str, int]]:
        yield from (("eos_token_id", token) for token in self.end_token_ids)
        for name in ("forced_bos_token_id", "forced_eos_token_id"):
            if (token := getattr(self, name)) is not None:
                yield name, token
        for name in ("suppress_tokens", "begin_suppress_tokens"):
            yield from ((name, token) for token in getattr(self, name))
        yield from (("bad_words_ids", token) for words in self.bad_words_ids for token in words)
        yield from (("sequence_bias", token) for words in dict(self.sequence_bias) for token in words)


def check_logprobs(logprobs: object, vocab_size: int) -> int:
    """Returns the number of most probable tokens that are asked for; 0 for None.

    Raises:
        ConfigError: it is no whole number of 0 or more, or larger than the vocabulary.
    """
    count = 0 if logprobs is None else checks.whole_number(0)("logprobs", logprobs)
    if count > vocab_size:
        raise ConfigError(f"logprobs is {count:,}, the vocabulary has {vocab_size:,} tokens: give at most as many")
    return count


_CHECKS: dict[str, Check] = {
    "max_new_tokens": checks.optional(checks.whole_number(1)),
    "min_new_tokens": checks.whole_number(0),
    "max_length": checks.optional(checks.whole_number(1)),
    "min_length": checks.whole_number(0),
    "max_time": checks.optional(checks.number(above=0)),
    "eos_token_id": checks.end_tokens,
    "stop_strings": checks.strings,
    "stopping_criteria": checks.callables("a sequence's token ids and its new text"),
    "num_beams": checks.whole_number(1),
    "num_return_sequences": checks.whole_number(1),
    # Beyond these, the power of a sequence's length is no number that a computer holds.
    "length_penalty": checks.number(least=-50, most=50),
    "early_stopping": checks.one_of([False, True, "never"]),
    "do_sample": checks.flag,
    "seed": checks.optional(checks.seeds),
    "temperature": checks.number(above=0),
    "top_k": checks.whole_number(0),
    "top_p": checks.number(above=0, most=1),
    "min_p": checks.number(least=0, most=1),
    "typical_p": checks.number(above=0, most=1),
    "epsilon_cutoff": checks.number(least=0, below=1),
    "eta_cutoff": checks.number(least=0, below=1),
    "repetition_penalty": checks.number(above=0),
    "presence_penalty": checks.number(least=-2, most=2),
    "frequency_penalty": checks.number(least=-2, most=2),
    "no_repeat_ngram_size": checks.whole_number(0),
    "bad_words_ids": checks.token_sequences,
    "sequence_bias": checks.biases,
    "suppress_tokens": checks.token_ids,
    "begin_suppress_tokens": checks.token_ids,
    "forced_bos_token_id": checks.optional(checks.whole_number(0)),
    "forced_eos_token_id": checks.optional(checks.whole_number(0)),
    "logits_processors": checks.callables("a sequence's token ids and its logits"),
    "prompt_lookup_num_tokens": checks.whole_number(0),
    "max_matching_ngram_size": checks.whole_number(1),
    "truncation": checks.one_of(get_args(Truncation)),
    "special_tokens": checks.flag,
    "normalize_punctuation": checks.flag,
    "logprobs": checks.optional(checks.whole_number(0)),
}

ONLY_SAMPLING = (
    "seed",
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "typical_p",
    "epsilon_cutoff",
    "eta_cutoff",
)
"""Settings that have a meaning with sampling alone."""
ONLY_BEAMS = ("length_penalty", "early_stopping")
"""Settings that have a meaning with beams alone."""

SETTING_NAMES = tuple(field.name for field in dataclasses.fields(GenerationConfig))
"""Names of all settings."""

INSTEAD_OF = {
    "max_new_tokens": "max_length",
    "max_length": "max_new_tokens",
    "min_new_tokens": "min_length",
    "min_length": "min_new_tokens",
}
"""For each setting of a length, the one that says the same with or without the prompt."""


def default_of(name: str) -> object:
    """Returns the value that None stands for: a setting's default, with which it is off."""
    # None is a value of its own here: no token ends a sequence.
    return None if name == "eos_token_id" else GenerationConfig.__dataclass_fields__[name].default


def _refuse_conflicts(config: GenerationConfig) -> None:
    _refuse_conflicting_lengths(config)
    if config.do_sample and config.num_beams > 1:
        raise ConfigError(
            f"do_sample is True and num_beams {config.num_beams}: sample with num_beams=1, or search with "
            "do_sample=False"
        )
    for name in _changed(config, ONLY_SAMPLING) if not config.do_sample else ():
        raise ConfigError(f"{name} is {getattr(config, name)!r}, but nothing is sampled: set do_sample=True")
    for name in _changed(config, ONLY_BEAMS) if config.num_beams == 1 else ():
        raise ConfigError(f"{name} is {getattr(config, name)!r}, but there are no beams: set num_beams above 1")
    if not config.do_sample and config.num_return_sequences > config.num_beams:
        raise ConfigError(
            f"num_return_sequences is {config.num_return_sequences}, above num_beams {config.num_beams}: raise "
            "num_beams, or set do_sample=True"
        )
    for name, needed in (("num_beams", 1), ("do_sample", False)):
        if config.prompt_lookup_num_tokens and getattr(config, name) != needed:
            raise ConfigError(
                f"prompt_lookup_num_tokens is {config.prompt_lookup_num_tokens} and {name} {getattr(config, name)}: "
                f"set {name}={needed}, which drafts need, or prompt_lookup_num_tokens=0"
            )


def _refuse_conflicting_lengths(config: GenerationConfig) -> None:
    for with_prompt, without in (("max_length", "max_new_tokens"), ("min_length", "min_new_tokens")):
        if getattr(config, with_prompt) and getattr(config, without):
            raise ConfigError(
                f"{with_prompt} is {getattr(config, with_prompt)} and {without} {getattr(config, without)}: give one "
                "of them; the first counts the prompt, too"
            )
    for least, most in (("min_new_tokens", "max_new_tokens"), ("min_length", "max_length")):
        limit = getattr(config, most)
        if limit is not None and getattr(config, least) > limit:
            raise ConfigError(f"{least} is {getattr(config, least)}, above {most} {limit}: raise the latter")
    if config.max_length is not None and config.truncation != "error":
        raise ConfigError(
            f"truncation is {config.truncation!r} and max_length {config.max_length}: give max_new_tokens instead, for "
            "which a prompt that is cut leaves room"
        )


def _changed(config: GenerationConfig, names: Sequence[str]) -> list[str]:
    defaults = {field.name: field.default for field in dataclasses.fields(config)}
    return [name for name in names if getattr(config, name) != defaults[name]]
