"""Completions are what the library answers, in OpenAI's form, whole or streamed."""

import asyncio
import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from starlette.types import ASGIApp

import biogpt_onnx
from biogpt_onnx.server.app import create_app, make_service
from biogpt_onnx.server.service import Service
from makers.asgi import Reply, ask

PROMPT, OTHER = "Aspirin inhibits", "Insulin is"


def complete(app: ASGIApp, **fields: object) -> Reply:
    return asyncio.run(ask(app, "POST", "/v1/completions", {"max_tokens": 8, "temperature": 0} | fields))


def texts(reply: Reply) -> list[str]:
    assert reply.status == 200, reply.json
    return [choice["text"] for choice in reply.json["choices"]]


def test_an_answer_has_openais_form(app: ASGIApp, mini: biogpt_onnx.BioGPT) -> None:
    reply = complete(app, prompt=PROMPT, model="mini", user="somebody")
    expected = mini.generate(PROMPT, max_new_tokens=8)
    answer = reply.json
    assert answer["object"] == "text_completion"
    assert answer["id"] == f"cmpl-{reply.headers['x-request-id']}"
    assert answer["model"] == "mini"
    assert answer["created"] > 0
    assert answer["choices"] == [
        {
            "index": 0,
            "text": expected.text,
            "logprobs": None,
            "finish_reason": "length" if expected.finish_reason == "length" else "stop",
        }
    ]
    usage = expected.usage
    assert answer["usage"] == {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.new_tokens,
        "total_tokens": usage.prompt_tokens + usage.new_tokens,
    }


@pytest.mark.parametrize(
    ("fields", "settings"),
    [
        ({"temperature": 0.8, "seed": 3}, {"do_sample": True, "temperature": 0.8, "seed": 3}),
        ({"temperature": None, "seed": 3}, {"do_sample": True, "seed": 3}),
        ({"temperature": None, "seed": 3, "top_p": 0.7}, {"do_sample": True, "seed": 3, "top_p": 0.7}),
        ({"temperature": 1, "seed": 3, "top_k": 5}, {"do_sample": True, "seed": 3, "top_k": 5}),
        ({"temperature": 1, "seed": 3, "top_k": -1}, {"do_sample": True, "seed": 3}),
        ({"temperature": 1, "seed": 3, "min_p": 0.2}, {"do_sample": True, "seed": 3, "min_p": 0.2}),
        ({"temperature": 1, "seed": 3, "typical_p": 0.5}, {"do_sample": True, "seed": 3, "typical_p": 0.5}),
        ({"top_p": 0.1, "top_k": 3}, {}),
        ({"stop": "the"}, {"stop_strings": "the"}),
        ({"stop": ["xyz", " of"]}, {"stop_strings": ["xyz", " of"]}),
        ({"repetition_penalty": 1.5}, {"repetition_penalty": 1.5}),
        ({"no_repeat_ngram_size": 2, "max_tokens": 20}, {"no_repeat_ngram_size": 2, "max_new_tokens": 20}),
        ({"num_beams": 3, "temperature": None}, {"num_beams": 3}),
        ({"num_beams": 3, "length_penalty": 0.5}, {"num_beams": 3, "length_penalty": 0.5}),
        ({"num_beams": 3, "early_stopping": True}, {"num_beams": 3, "early_stopping": True}),
        ({"presence_penalty": 1.5, "frequency_penalty": -0.5}, {"presence_penalty": 1.5, "frequency_penalty": -0.5}),
        ({"ignore_eos": True, "max_tokens": 40}, {"eos_token_id": None, "max_new_tokens": 40}),
        ({"min_tokens": 5}, {"min_new_tokens": 5}),
        ({"logit_bias": {"42": 50}}, {"sequence_bias": {(42,): 50.0}}),
        ({"allowed": [" aspirin", " insulin"]}, {"allowed": [" aspirin", " insulin"]}),
        ({"max_tokens": None}, {"max_new_tokens": 16}),
    ],
)  # fmt: skip
def test_settings_do_what_they_do_in_the_library(
    app: ASGIApp, mini: biogpt_onnx.BioGPT, fields: Mapping[str, Any], settings: Mapping[str, Any]
) -> None:
    expected = mini.generate([PROMPT, OTHER], **{"max_new_tokens": 8} | dict(settings))
    assert texts(complete(app, prompt=[PROMPT, OTHER], **fields)) == [one.text for one in expected]


def test_ids_are_read_as_they_are(app: ASGIApp, mini: biogpt_onnx.BioGPT) -> None:
    ids = [[2, 1234, 567], [2, 42]]
    expected = [one.text for one in mini.generate_ids(ids, max_new_tokens=8)]
    assert texts(complete(app, prompt=ids)) == expected
    assert texts(complete(app, prompt=ids[0])) == expected[:1]


def test_several_completions_of_several_prompts_are_numbered_prompt_by_prompt(
    app: ASGIApp, mini: biogpt_onnx.BioGPT
) -> None:
    reply = complete(app, prompt=[PROMPT, OTHER], n=3, temperature=1, seed=5)
    expected = mini.generate([PROMPT, OTHER], max_new_tokens=8, do_sample=True, seed=5, num_return_sequences=3)
    assert [choice["index"] for choice in reply.json["choices"]] == list(range(6))
    found = texts(reply)
    for number, generation in enumerate(expected):
        assert sorted(found[3 * number : 3 * number + 3]) == sorted(one.text for one in generation.sequences)
    assert reply.json["usage"]["completion_tokens"] == sum(one.usage.new_tokens for one in expected)


def test_beams_come_best_first(app: ASGIApp, mini: biogpt_onnx.BioGPT) -> None:
    expected = mini.generate(PROMPT, max_new_tokens=8, num_beams=3, num_return_sequences=3)
    found = complete(app, prompt=PROMPT, n=3, num_beams=3, temperature=None)
    assert texts(found) == [one.text for one in expected.sequences]


def test_log_probabilities_are_those_of_the_library(app: ASGIApp, mini: biogpt_onnx.BioGPT) -> None:
    (choice,) = complete(app, prompt=PROMPT, logprobs=3).json["choices"]
    expected = mini.generate(PROMPT, max_new_tokens=8, logprobs=3).logprobs
    assert expected is not None
    logprobs = choice["logprobs"]
    assert logprobs["tokens"] == [token.text for token in expected]
    assert logprobs["token_logprobs"] == [token.logprob for token in expected]
    assert logprobs["text_offset"] == [token.span[0] for token in expected]
    for found, token in zip(logprobs["top_logprobs"], expected, strict=True):
        assert found == {one.text: one.logprob for one in token.top}


def test_no_top_tokens_are_listed_for_zero(app: ASGIApp) -> None:
    (choice,) = complete(app, prompt=PROMPT, logprobs=0).json["choices"]
    assert all(math.isfinite(value) for value in choice["logprobs"]["token_logprobs"])
    assert set(choice["logprobs"]["top_logprobs"]) == {None}


def test_a_prompt_is_echoed_with_its_log_probabilities(app: ASGIApp, mini: biogpt_onnx.BioGPT) -> None:
    text = "Aspirin inhibits platelet aggregation."
    score = mini.score(text, logprobs=1)
    for prompt in (text, mini.tokenizer.encode(text)):
        reply = complete(app, prompt=prompt, max_tokens=1, echo=True, logprobs=1)
        (choice,) = reply.json["choices"]
        logprobs = choice["logprobs"]
        assert logprobs["tokens"][0] == "</s>"
        assert logprobs["token_logprobs"][0] is None
        assert logprobs["top_logprobs"][0] is None
        assert logprobs["token_logprobs"][1:-1] == list(score.log_probabilities)
        assert len(logprobs["tokens"]) == reply.json["usage"]["prompt_tokens"] + 1
        assert choice["text"].startswith(text)
        assert logprobs["text_offset"][-1] == len(text)


def test_a_prompt_may_be_scored_alone(app: ASGIApp, mini: biogpt_onnx.BioGPT) -> None:
    reply = complete(app, prompt=[PROMPT, OTHER], max_tokens=0, echo=True, logprobs=0)
    for text, choice in zip([PROMPT, OTHER], reply.json["choices"], strict=True):
        assert choice["text"] == text
        assert choice["logprobs"]["token_logprobs"][1:] == list(mini.score(text).log_probabilities)
        assert choice["finish_reason"] == "length"
    assert reply.json["usage"]["completion_tokens"] == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": PROMPT},
        {"prompt": [PROMPT, OTHER], "n": 2, "temperature": 1, "seed": 1},
        {"prompt": PROMPT, "num_beams": 3, "n": 2, "temperature": None},
        {"prompt": [PROMPT, OTHER], "logprobs": 2, "echo": True},
        {"prompt": PROMPT, "echo": True, "max_tokens": 0, "logprobs": 1},
        {"prompt": PROMPT, "stop": ["the", "of", "in"], "max_tokens": 30},
        {"prompt": PROMPT, "allowed": [" aspirin"]},
    ],
)
def test_a_stream_has_the_same_texts(app: ASGIApp, fields: Mapping[str, Any]) -> None:
    whole = complete(app, **fields).json
    reply = complete(app, **fields, stream=True, stream_options={"include_usage": True})
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.headers["x-accel-buffering"] == "no"
    *chunks, usage, end = reply.events
    assert end == "[DONE]"
    assert usage["choices"] == []
    assert usage["usage"] == whole["usage"]
    for expected in whole["choices"]:
        found = [choice for chunk in chunks for choice in chunk["choices"] if choice["index"] == expected["index"]]
        assert "".join(choice["text"] for choice in found) == expected["text"]
        assert [choice["finish_reason"] for choice in found] == [None] * (len(found) - 1) + [expected["finish_reason"]]
        if expected["logprobs"] is not None:
            for name, values in expected["logprobs"].items():
                assert [value for choice in found for value in choice["logprobs"][name]] == values
    assert {chunk["id"] for chunk in chunks} == {f"cmpl-{reply.headers['x-request-id']}"}


def test_a_stream_says_no_usage_unasked(app: ASGIApp) -> None:
    *chunks, end = complete(app, prompt=PROMPT, stream=True).events
    assert end == "[DONE]"
    assert all("usage" not in chunk and chunk["choices"] for chunk in chunks)
    assert len(chunks) > 3


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": {}}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"prompt": [1.5]}, "prompt[0]"),
        ({"prompt": [True]}, "prompt"),
        ({"prompt": [-1]}, "prompt"),
        ({"prompt": [10**9]}, "prompt"),
        ({"prompt": [PROMPT, 3]}, "prompt[1]"),
        ({"prompt": [[2], []]}, "prompt[1]"),
        ({"prompt": "\ud800"}, "prompt"),
        ({"prompt": [PROMPT] * 9}, "prompt"),
        ({"prompt": PROMPT, "n": 0}, "n"),
        ({"prompt": PROMPT, "n": 5, "temperature": 1}, "n"),
        ({"prompt": PROMPT, "n": 2}, "n"),
        ({"prompt": PROMPT, "n": 3, "num_beams": 2, "temperature": None}, "n"),
        ({"prompt": PROMPT, "best_of": 2}, "best_of"),
        ({"prompt": PROMPT, "num_beams": 99}, "num_beams"),
        ({"prompt": PROMPT, "num_beams": 2, "temperature": 1}, "temperature"),
        ({"prompt": PROMPT, "temperature": -1}, "temperature"),
        ({"prompt": PROMPT, "temperature": "hot"}, "temperature"),
        ({"prompt": PROMPT, "top_p": 0}, "top_p"),
        ({"prompt": PROMPT, "top_k": -2}, "top_k"),
        ({"prompt": PROMPT, "max_tokens": -1}, "max_tokens"),
        ({"prompt": PROMPT, "max_tokens": 0}, "max_tokens"),
        ({"prompt": PROMPT, "max_tokens": 5000}, "max_tokens"),
        ({"prompt": PROMPT, "max_tokens": True}, "max_tokens"),
        ({"prompt": PROMPT, "logprobs": 21}, "logprobs"),
        ({"prompt": PROMPT, "logprobs": True}, "logprobs"),
        ({"prompt": PROMPT, "stop": ["x"] * 17}, "stop"),
        ({"prompt": PROMPT, "stop": "x" * 300}, "stop"),
        ({"prompt": PROMPT, "logit_bias": {"x": 1}}, "logit_bias"),
        ({"prompt": PROMPT, "logit_bias": {"1": "2"}}, "logit_bias"),
        ({"prompt": PROMPT, "logit_bias": {"1": 101}}, "logit_bias"),
        ({"prompt": PROMPT, "logit_bias": {"²": 1}}, "logit_bias"),
        ({"prompt": PROMPT, "presence_penalty": 3}, "presence_penalty"),
        ({"prompt": PROMPT, "seed": -1}, "seed"),
        ({"prompt": PROMPT, "suffix": "end"}, "suffix"),
        ({"prompt": PROMPT, "stream": False, "stream_options": {"include_usage": True}}, "stream_options"),
        ({"prompt": PROMPT, "stream": True, "stream_options": {"include": True}}, None),
        ({"prompt": [PROMPT, "  "]}, "prompt[1]"),
        ({"prompt": PROMPT, "stream": "yes"}, "stream"),
        ({"prompt": PROMPT, "allowed": []}, "allowed"),
        ({"prompt": PROMPT, "truncate": "middle"}, "truncate"),
        ({"prompt": PROMPT, "max_token": 3}, None),
        ({"prompt": ""}, "prompt"),
        ({"prompt": "word " * 2000}, None),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_bad_input_is_an_error_before_the_first_byte(
    app: ASGIApp,
    service: Service,
    fields: Mapping[str, Any],
    param: str | None,
    stream: bool,  # noqa: FBT001
) -> None:
    reply = complete(app, **{"stream": stream} | dict(fields))
    assert reply.status == 400, reply.body
    error = reply.json["error"]
    assert error["type"] == "invalid_request_error"
    if param is not None:
        assert error["param"] == param
    assert error["message"]
    assert service.admission.used == 0


def test_another_model_is_not_found(app: ASGIApp) -> None:
    reply = complete(app, prompt=PROMPT, model="gpt-4")
    assert (reply.status, reply.json["error"]["code"]) == (404, "model_not_found")


def test_an_answer_does_not_depend_on_who_else_asks(app: ASGIApp) -> None:
    requests = [
        {"prompt": f"{PROMPT} {number} times", "max_tokens": 6 + number % 5, "logprobs": 1, "seed": number}
        | ({"temperature": 1.0} if number % 3 else {"num_beams": 2, "temperature": None})
        for number in range(12)
    ]

    async def together() -> list[Reply]:
        return await asyncio.gather(
            *(ask(app, "POST", "/v1/completions", request) for request in requests[:6]),
            *(ask(app, "POST", "/v1/completions", request) for request in requests[6:]),
        )

    found = asyncio.run(together())
    for request, reply in zip(requests, found, strict=True):
        alone = asyncio.run(ask(app, "POST", "/v1/completions", request))
        assert reply.json["choices"] == alone.json["choices"]


@pytest.fixture
def app_with_decoding(mini: biogpt_onnx.BioGPT) -> Iterator[Callable[[dict[str, Any]], ASGIApp]]:
    """Makes an application of a model whose authors chose its decoding."""
    services: list[Service] = []

    def make(generation: dict[str, Any]) -> ASGIApp:
        manifest = dataclasses.replace(mini.manifest, generation=generation)
        model = biogpt_onnx.BioGPT(mini._opened, mini.tokenizer, manifest)
        services.append(make_service(model, "mini"))
        return create_app(services[-1])

    yield make
    for each in services:
        each.close()


@pytest.mark.parametrize(
    ("generation", "fields", "settings"),
    [
        ({"num_beams": 3}, {"temperature": None}, {"num_beams": 3}),
        ({"num_beams": 3}, {"temperature": 0}, {}),
        ({"num_beams": 3}, {"temperature": 0.8, "seed": 3}, {"do_sample": True, "temperature": 0.8, "seed": 3}),
        (
            {"do_sample": True, "temperature": 0.6},
            {"temperature": None, "seed": 3},
            {"do_sample": True, "temperature": 0.6, "seed": 3},
        ),
        (
            {"do_sample": True, "top_p": 0.9},
            {"temperature": None, "seed": 3, "top_p": 0.2},
            {"do_sample": True, "seed": 3, "top_p": 0.2},
        ),
        ({"do_sample": True}, {"temperature": None, "num_beams": 2}, {"num_beams": 2}),
    ],
)
def test_where_a_request_says_no_temperature_the_models_own_decoding_holds(
    app_with_decoding: Callable[[dict[str, Any]], ASGIApp],
    mini: biogpt_onnx.BioGPT,
    generation: dict[str, Any],
    fields: dict[str, Any],
    settings: dict[str, Any],
) -> None:
    app = app_with_decoding(generation)
    expected = mini.generate(PROMPT, max_new_tokens=8, **settings)
    assert texts(complete(app, prompt=PROMPT, **fields)) == [expected.text]


def test_a_prompt_of_one_token_has_nothing_before_it_to_be_scored_by(app: ASGIApp) -> None:
    reply = complete(app, prompt=[2], echo=True, logprobs=1, max_tokens=2)
    assert reply.status == 200
    (choice,) = reply.json["choices"]
    first, *others = choice["logprobs"]["token_logprobs"]
    assert first is None
    assert len(others) == 2
    assert all(number < 0 for number in others)
