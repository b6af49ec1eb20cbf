"""The description of /v1/completions and of the address of chats."""

from biogpt_onnx.server.openapi import schemas
from biogpt_onnx.server.openapi.common import MODEL_FIELD, USAGE_EXAMPLE
from biogpt_onnx.server.openapi.operations import Operation
from biogpt_onnx.server.openapi.schemas import Schema, flag, many, number, one_of, text, whole
from biogpt_onnx.server.settings import (
    MAX_BIASES,
    MAX_CHOICES,
    MAX_LOGPROBS,
    MAX_STOP_LENGTH,
    MAX_STOP_STRINGS,
    ServerSettings,
)

_FINISH_REASONS = ("stop", "length", "time", None)


def completions(settings: ServerSettings) -> Operation:
    """Returns the operation of completions."""
    return Operation(
        method="post",
        name="complete",
        summary="Continues prompts, as a whole or, with stream, as server-sent events of the same objects and [DONE].",
        request=schemas.request({"prompt": _prompt(settings)}, _of_openai(settings) | _of_ours(settings)),
        request_example={"prompt": "Aspirin inhibits", "max_tokens": 16, "temperature": 0},
        answers=_completion(),
        example={
            "id": "cmpl-5f0c",
            "object": "text_completion",
            "created": 1790000000,
            "model": "biogpt",
            "choices": [
                {"index": 0, "text": " platelet aggregation.", "logprobs": None, "finish_reason": "stop"},
            ],
            "usage": USAGE_EXAMPLE,
        },
        media_types={"text/event-stream": {"type": "string"}},
        computes=True,
    )


def chats() -> Operation:
    """Returns the operation of chats, which always fails."""
    return Operation(
        method="post",
        name="refuse_chat",
        summary="BioGPT has no chat template: always an error that names /v1/completions.",
        request={"type": "object"},
        request_example={"messages": [{"role": "user", "content": "Hello"}]},
        errors={404: "there are no chats"},
    )


def _prompt(settings: ServerSettings) -> Schema:
    one, ids = text("a text"), many(whole("a token id"), "token ids", least=1)
    several = many(schemas.either("a prompt", one, ids), "several prompts", least=1, most=settings.max_prompts)
    return schemas.either("what is continued: a text, token ids, or a list of them", one, ids, several)


def _of_openai(settings: ServerSettings) -> dict[str, Schema]:
    stop = text("a text at which a completion ends", longest=MAX_STOP_LENGTH)
    return {
        "model": MODEL_FIELD,
        "max_tokens": whole("most new tokens; 0 with echo scores the prompt (default 16)"),
        "temperature": number("randomness; 0 takes the most probable tokens (default 1)", 0, 100),
        "top_p": number("sample among the most probable tokens with this share", 0, 1) | {"exclusiveMinimum": 0},
        "n": whole("completions of each prompt", 1, settings.max_prompts),
        "stop": schemas.either("where completions end", stop, many(stop, "several", least=1, most=MAX_STOP_STRINGS)),
        "seed": whole("seed of the random numbers"),
        "echo": flag("put the prompt before the completion"),
        "logprobs": schemas.either(
            "log-probabilities, with so many of the most probable tokens",
            whole("number of tokens", 0, MAX_LOGPROBS),
            {"enum": [False]},
        ),
        "logit_bias": {
            "type": "object",
            "description": "numbers that are added to the logits of tokens, by their ids",
            "maxProperties": MAX_BIASES,
            "patternProperties": {"^[0-9]+$": number("what is added", -100, 100)},
            "additionalProperties": False,
        },
        "presence_penalty": number("what tokens lose that have come", -2, 2),
        "frequency_penalty": number("what tokens lose each time they have come", -2, 2),
        "stream": flag("send the text while it comes"),
        "stream_options": schemas.request(
            {},
            {
                "include_usage": flag("send the numbers of tokens at the end"),
                "continuous_usage_stats": one_of("not supported", [False]),
            },
        ),
        "best_of": whole("not supported but as the value of n", 1, settings.max_prompts),
        "suffix": one_of("not supported", [""]),
        "user": {"description": "ignored"},
    }


def _of_ours(settings: ServerSettings) -> dict[str, Schema]:
    allowed = text("a text that the completion may be")
    return {
        "top_k": whole("sample among so many most probable tokens; 0 or -1 for all", -1),
        "min_p": number("least probability, as a share of the most probable token's", 0, 1),
        "typical_p": number("sample among the most typical tokens with this share", 0, 1) | {"exclusiveMinimum": 0},
        "num_beams": whole("beams of a search for the most probable completion", 1, settings.max_rows),
        "length_penalty": number("exponent of the length by which beams are compared", -50, 50),
        "early_stopping": flag("end a search with the first num_beams completions"),
        "repetition_penalty": number("factor by which tokens that have come are less probable", 0.01, 100),
        "no_repeat_ngram_size": whole("no so many tokens in a row come twice; 0 for no such rule", 0, 1000),
        "min_tokens": whole("fewest new tokens"),
        "ignore_eos": flag("go on behind the end token"),
        "allowed": schemas.either(
            "texts of which each completion must be one", allowed, many(allowed, "several", least=1, most=MAX_CHOICES)
        ),
        "truncate": one_of("side at which prompts that are too long are cut", ["left", "right"]),
    }


def _completion() -> Schema:
    logprobs = schemas.answer(
        {
            "tokens": many({"type": "string"}, "texts of the tokens"),
            "token_logprobs": many({"type": ["number", "null"]}, "their log-probabilities"),
            "top_logprobs": many({"type": ["object", "null"]}, "log-probabilities of the most probable tokens"),
            "text_offset": many({"type": "integer"}, "places of the tokens in the text"),
        }
    )
    choice = schemas.answer(
        {
            "index": whole("number of the completion, prompt by prompt"),
            "text": text("the completion"),
            "logprobs": schemas.either("log-probabilities", logprobs, {"type": "null"}),
            "finish_reason": one_of("reason why it ended; null in a stream while it goes on", _FINISH_REASONS),
        }
    )
    fields = {
        "id": text("id of the completion"),
        "object": one_of("what this is", ["text_completion"]),
        "created": whole("seconds since 1970"),
        "model": text("name of the model"),
        "choices": many(choice, "the completions"),
        "usage": schemas.named("Usage"),
    }
    return schemas.answer(fields)
