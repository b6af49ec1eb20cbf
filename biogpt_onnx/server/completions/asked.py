"""What a request for completions asks for, read from its fields."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from biogpt_onnx.server.endpoints.models import check_model
from biogpt_onnx.server.endpoints.tokens import checked_ids
from biogpt_onnx.server.http.errors import ApiError, bad_field
from biogpt_onnx.server.http.fields import Fields, checked_text
from biogpt_onnx.server.service import Service
from biogpt_onnx.server.settings import (
    MAX_BIASES,
    MAX_CHOICES,
    MAX_LOGPROBS,
    MAX_STOP_LENGTH,
    MAX_STOP_STRINGS,
)

DEFAULT_MAX_TOKENS = 16
"""New tokens where a request does not say, as with OpenAI."""

Prompt = str | tuple[int, ...]
"""A text, or token ids that are read as they are."""

_MOST_TEMPERATURE = 100.0
_MOST_BIAS = 100.0
_STRATEGY = ("do_sample", "num_beams")


@dataclass(frozen=True)
class Asked:
    """What a request asks for.

    Attributes:
        prompts: the prompts.
        n: number of completions of each prompt.
        max_tokens: most new tokens of each; None where the request does not say. 0 for none, to score the prompt.
        settings: settings of the generation, by the names of `GenerationConfig`.
        allowed: texts of which each completion must be one; None for any text.
        echo: True to put the prompt before each completion.
        logprobs: number of most probable tokens to list for each place; None to list no log-probabilities.
        is_streamed: True to send the texts while they come.
        wants_usage: True to send the number of tokens at the end of a stream.
    """

    prompts: Sequence[Prompt]
    n: int
    max_tokens: int | None
    settings: Mapping[str, Any]
    allowed: Sequence[str] | None = None
    echo: bool = False
    logprobs: int | None = None
    is_streamed: bool = False
    wants_usage: bool = False

    @property
    def num_sequences(self) -> int:
        """Number of completions of all prompts together."""
        return len(self.prompts) * self.n


def read_asked(fields: Fields, service: Service) -> Asked:
    """Reads what a request asks for.

    Raises:
        ApiError: a field has a bad value, is not known, or does not go with another.
    """
    check_model(service, fields.text("model"))
    prompts = _prompts(fields, service)
    n = fields.integer("n", 1, service.settings.max_prompts) or 1
    best_of = fields.integer("best_of", 1)
    if best_of not in (None, n):
        raise bad_field("best_of", "is not supported beside n: leave it out, or search with num_beams")
    logprobs = _logprobs(fields)
    stream = fields.flag("stream") or False
    max_tokens = fields.integer("max_tokens", 0)
    echo = fields.flag("echo") or False
    if max_tokens == 0 and not echo:
        raise bad_field("max_tokens", "is 0, which is for scoring a prompt: set echo to true, or ask for 1 or more")
    asked = Asked(
        prompts=prompts,
        n=n,
        max_tokens=max_tokens,
        settings=_settings(fields, service, n, logprobs),
        allowed=fields.texts("allowed", MAX_CHOICES),
        echo=echo,
        logprobs=logprobs,
        is_streamed=stream,
        wants_usage=_wants_usage(fields, is_streamed=stream),
    )
    fields.ignore("user")
    fields.refuse("suffix", [""], "texts are continued at their end alone")
    fields.done()
    return asked


def _prompts(fields: Fields, service: Service) -> Sequence[Prompt]:
    value = fields.value("prompt")
    vocab_size, most = service.model.tokenizer.vocab_size, service.settings.max_prompts
    if isinstance(value, str):
        return [_text("prompt", value)]
    if not isinstance(value, list) or not value:
        raise bad_field("prompt", "must be a text, a list of texts, token ids or a list of token ids")
    if all(isinstance(item, int) for item in value):
        return [tuple(checked_ids("prompt", value, vocab_size))]
    if len(value) > most:
        raise bad_field("prompt", f"holds {len(value)} prompts, at most {most} are allowed: send fewer at a time")
    return [_one_prompt(f"prompt[{index}]", item, vocab_size) for index, item in enumerate(value)]


def _one_prompt(name: str, item: object, vocab_size: int) -> Prompt:
    if isinstance(item, list) and item:
        return tuple(checked_ids(name, item, vocab_size))
    return _text(name, item)


def _text(name: str, value: object) -> str:
    text = checked_text(name, value)
    if not text.strip():
        raise bad_field(name, "is empty: give a text, or the ids [2] to have the model begin one")
    return text


def _logprobs(fields: Fields) -> int | None:
    value = fields.value("logprobs")
    # vLLM's clients say false for none.
    return None if value is False else fields.integer("logprobs", 0, MAX_LOGPROBS)


def _wants_usage(fields: Fields, *, is_streamed: bool) -> bool:
    options = fields.nested("stream_options")
    if options is None:
        return False
    if not is_streamed:
        raise bad_field("stream_options", "is for streams: set stream to true, or leave it out")
    wants_usage = options.flag("include_usage") or False
    options.refuse("continuous_usage_stats", [False], "the number of tokens comes at the end")
    options.done()
    return wants_usage


def _settings(fields: Fields, service: Service, n: int, logprobs: int | None) -> dict[str, Any]:
    beams = fields.integer("num_beams", 1, service.settings.max_rows)
    given: dict[str, Any] = {
        "num_beams": beams,
        "stop_strings": fields.texts("stop", MAX_STOP_STRINGS, MAX_STOP_LENGTH),
        "repetition_penalty": fields.number("repetition_penalty", 0.01, 100),
        "no_repeat_ngram_size": fields.integer("no_repeat_ngram_size", 0, 1000),
        "presence_penalty": fields.number("presence_penalty", -2, 2),
        "frequency_penalty": fields.number("frequency_penalty", -2, 2),
        "min_new_tokens": fields.integer("min_tokens"),
        "truncation": fields.one_of("truncate", ("left", "right")),
        "length_penalty": fields.number("length_penalty", -50, 50),
        "early_stopping": fields.flag("early_stopping"),
        "sequence_bias": _biases(fields, service.model.tokenizer.vocab_size),
    }
    given |= _sampling(fields, service, beams, n)
    settings = {name: value for name, value in given.items() if value is not None}
    if fields.flag("ignore_eos"):
        settings["eos_token_id"] = None
    if n > 1:
        settings["num_return_sequences"] = n
    if logprobs is not None:
        settings["logprobs"] = max(1, logprobs)
    return settings


def _sampling(fields: Fields, service: Service, beams: int | None, n: int) -> dict[str, Any]:
    temperature = fields.number("temperature", 0, _MOST_TEMPERATURE)
    given = {
        "seed": fields.integer("seed", 0),
        "top_p": fields.number("top_p", 0, 1),
        "top_k": _top_k(fields),
        "min_p": fields.number("min_p", 0, 1),
        "typical_p": fields.number("typical_p", 0, 1),
    }
    for name in ("top_p", "typical_p"):
        if given[name] == 0:
            raise bad_field(name, "must be above 0")
    if beams is not None and beams > 1:
        if temperature:
            raise bad_field("temperature", "does not go with num_beams: beams do not sample, leave it out")
        if n > beams:
            raise bad_field("n", f"is {n}, above num_beams {beams}: ask for fewer, or raise num_beams")
        return {"do_sample": False}
    if n > service.settings.max_rows:
        raise bad_field("n", f"is {n}, at most {service.settings.max_rows} sequences of a prompt run at a time")
    if temperature == 0:
        if n > 1:
            raise bad_field("n", f"is {n}, but with temperature 0 all would be alike: raise it, or set num_beams")
        # The most probable tokens, also where the model's own decoding is beams.
        return {"do_sample": False, "num_beams": 1}
    defaults = service.model.manifest.generation or {}
    if temperature is None and beams is None and any(name in defaults for name in _STRATEGY):
        return given if defaults.get("do_sample") else {}
    return given | {"do_sample": True, "temperature": temperature}


def _top_k(fields: Fields) -> int | None:
    # vLLM's clients say -1 for all tokens.
    value = fields.integer("top_k", -1)
    return 0 if value == -1 else value


def _biases(fields: Fields, vocab_size: int) -> dict[tuple[int, ...], float] | None:
    value = fields.value("logit_bias")
    if value is None:
        return None
    if not isinstance(value, dict) or len(value) > MAX_BIASES:
        raise bad_field("logit_bias", f"must be an object of at most {MAX_BIASES} token ids, each with a number")
    biases: dict[tuple[int, ...], float] = {}
    for name, bias in value.items():
        if not name.isdecimal() or int(name) >= vocab_size:
            raise bad_field("logit_bias", f"must name token ids from 0 to {vocab_size - 1}")
        if isinstance(bias, bool) or not isinstance(bias, int | float) or abs(bias) > _MOST_BIAS:
            raise bad_field("logit_bias", f"must give numbers from -{_MOST_BIAS:g} to {_MOST_BIAS:g}")
        biases[(int(name),)] = float(bias)
    return biases or None


def check_room(asked: Asked, prompt_tokens: Sequence[int], max_positions: int) -> None:
    """Refuses a request whose prompt and new tokens together are more than the model can read.

    Without `max_tokens` there are as many as fit, at most 16.

    Args:
        asked: what the request asks for.
        prompt_tokens: number of tokens of each prompt.
        max_positions: number of positions of the model.

    Raises:
        ApiError: there is no room.
    """
    if asked.max_tokens is None or "truncation" in asked.settings:
        return
    longest = max(prompt_tokens)
    # The last new token is never read.
    if longest + max(asked.max_tokens, 1) - 1 > max_positions:
        raise ApiError(
            400,
            f"a prompt has {longest} tokens and max_tokens is {asked.max_tokens}; the model reads {max_positions}: "
            'ask for fewer, shorten the prompt, or set truncate to "left"',
            param="max_tokens",
            code="context_length_exceeded",
        )
