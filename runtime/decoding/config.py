"""What a caller may say about a generation."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding import checks
from biogpt_onnx.runtime.decoding.checks import Check
from biogpt_onnx.runtime.errors import ConfigError

Truncation = Literal["error", "left", "right"]

CustomProcessor = Callable[[npt.NDArray[np.int64], npt.NDArray[np.float32]], npt.NDArray[np.float32]]
"""A caller's own rule: takes a sequence's ids, prompt included, and the logits [vocab] after it; returns logits."""


@dataclass(frozen=True, kw_only=True)
class GenerationConfig:
    """How to continue a prompt. Names, meanings and the order of the rules are transformers' where it has the setting.

    Unlike there, nothing is cut off unless asked: `top_k` is 0 by default.

    Attributes:
        max_new_tokens: most tokens to generate; fewer when the model's positions run out first.
        min_new_tokens: tokens before which `eos_token_id` is never chosen.
        max_time: seconds after which generation ends with what there is; looked at after each step, and between the
            parts of 512 tokens in which a prompt is read. None for no limit.
        eos_token_id: the token that ends a sequence; None goes on to `max_new_tokens`.
        stop_strings: generation ends where any of these appears, and the text ends before it. One string, or several.
        num_beams: hypotheses that are followed at once; 1 is no beam search.
        num_return_sequences: continuations that are returned for each prompt: the best beams, or so many samples.
        length_penalty: with beams, a hypothesis's score is its log-probability / length ** length_penalty.
        early_stopping: with beams, when to stop: True as soon as there are `num_beams` finished hypotheses; False when
            a better one is unlikely; "never" when no better one is possible.
        do_sample: draw tokens at random instead of taking the most likely.
        seed: makes sampling repeatable. One for all prompts (two equal prompts are then continued alike), or one for
            each prompt. None for different samples each time.
        temperature: divides the logits before sampling; below 1 sharpens, above 1 flattens.
        top_k: sample from so many most likely tokens; 0 for all.
        top_p: sample from the most likely tokens that together have this probability; 1 for all.
        min_p: sample from tokens with at least this share of the most likely one's probability; 0 for all.
        typical_p: sample from the tokens whose surprise is nearest to the expected one, up to this probability.
        epsilon_cutoff: sample from tokens of at least this probability; 0 for all.
        eta_cutoff: the same, but lower where the distribution is flat; 0 for all.
        repetition_penalty: above 1 makes tokens that have appeared, in the prompt too, less likely.
        no_repeat_ngram_size: no sequence of so many tokens appears twice, the prompt included; 0 for no such rule.
        bad_words_ids: sequences of tokens that are never completed.
        sequence_bias: sequences of tokens, and what is added to the logit of each one's last token when the others
            stand before it. A mapping, or pairs.
        suppress_tokens: tokens that are never chosen.
        begin_suppress_tokens: tokens that are not chosen first.
        forced_bos_token_id: the first new token of a prompt that is nothing but the starting token.
        forced_eos_token_id: the last token of a sequence that reaches `max_new_tokens`.
        logits_processors: the caller's own rules, applied after those above and before those of sampling.
        prompt_lookup_num_tokens: most tokens that are guessed at a time from what the prompt, or the text so far, says
            after the same words, and checked in one step. It changes no token, only the time that text takes which
            repeats its source. 0 for none.
        max_matching_ngram_size: most words (tokens) that are compared for such a guess.
        truncation: what to do with a prompt longer than the model's positions: raise an error, or drop tokens on the
            left (after the first, which starts every sequence) or on the right, so that `max_new_tokens` fit.
        special_tokens: whether `</s>` and the like in a prompt are special tokens rather than text.
        normalize_punctuation: whether typographic punctuation, which BioGPT's vocabulary lacks, is read as ASCII.
    """

    max_new_tokens: int = 64
    min_new_tokens: int = 0
    max_time: float | None = None
    eos_token_id: int | None = 2
    stop_strings: Sequence[str] = ()
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

    def __post_init__(self) -> None:
        """Refuses bad values, and settings that exclude each other.

        Raises:
            ConfigError: names the fields, and what to do.
        """
        for name, check in _CHECKS.items():
            object.__setattr__(self, name, check(name, getattr(self, name)))
        _refuse_conflicts(self)

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

    def check_vocabulary(self, vocab_size: int) -> None:
        """Refuses tokens that a model does not have.

        Raises:
            ConfigError: names the field and the token.
        """
        for name, token in self._named_tokens():
            if token >= vocab_size:
                raise ConfigError(f"{name} names token {token}, outside the vocabulary of {vocab_size:,}")

    def _named_tokens(self) -> Iterator[tuple[str, int]]:
        for name in ("eos_token_id", "forced_bos_token_id", "forced_eos_token_id"):
            if (token := getattr(self, name)) is not None:
                yield name, token
        for name in ("suppress_tokens", "begin_suppress_tokens"):
            yield from ((name, token) for token in getattr(self, name))
        yield from (("bad_words_ids", token) for words in self.bad_words_ids for token in words)
        yield from (("sequence_bias", token) for words in dict(self.sequence_bias) for token in words)


_CHECKS: dict[str, Check] = {
    "max_new_tokens": checks.whole_number(1),
    "min_new_tokens": checks.whole_number(0),
    "max_time": checks.optional(checks.number(above=0)),
    "eos_token_id": checks.optional(checks.whole_number(0)),
    "stop_strings": checks.strings,
    "num_beams": checks.whole_number(1),
    "num_return_sequences": checks.whole_number(1),
    "length_penalty": checks.number(),
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
    "no_repeat_ngram_size": checks.whole_number(0),
    "bad_words_ids": checks.token_sequences,
    "sequence_bias": checks.biases,
    "suppress_tokens": checks.token_ids,
    "begin_suppress_tokens": checks.token_ids,
    "forced_bos_token_id": checks.optional(checks.whole_number(0)),
    "forced_eos_token_id": checks.optional(checks.whole_number(0)),
    "logits_processors": checks.callables,
    "prompt_lookup_num_tokens": checks.whole_number(0),
    "max_matching_ngram_size": checks.whole_number(1),
    "truncation": checks.one_of(get_args(Truncation)),
    "special_tokens": checks.flag,
    "normalize_punctuation": checks.flag,
}

_ONLY_SAMPLING = (
    "seed",
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "typical_p",
    "epsilon_cutoff",
    "eta_cutoff",
)
_ONLY_BEAMS = ("length_penalty", "early_stopping")


def _refuse_conflicts(config: GenerationConfig) -> None:
    if config.min_new_tokens > config.max_new_tokens:
        raise ConfigError(
            f"min_new_tokens is {config.min_new_tokens}, above max_new_tokens {config.max_new_tokens}: raise the latter"
        )
    if config.do_sample and config.num_beams > 1:
        raise ConfigError(
            f"do_sample is True and num_beams {config.num_beams}: sample with num_beams=1, or search with "
            "do_sample=False"
        )
    for name in _changed(config, _ONLY_SAMPLING) if not config.do_sample else ():
        raise ConfigError(f"{name} is {getattr(config, name)!r}, but nothing is sampled: set do_sample=True")
    for name in _changed(config, _ONLY_BEAMS) if config.num_beams == 1 else ():
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


def _changed(config: GenerationConfig, names: Sequence[str]) -> list[str]:
    defaults = {field.name: field.default for field in dataclasses.fields(config)}
    return [name for name in names if getattr(config, name) != defaults[name]]
