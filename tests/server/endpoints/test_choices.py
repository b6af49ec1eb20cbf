"""Choices over HTTP are the library's own, to the last digit."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
from makers.asgi import Reply, ask
from starlette.types import ASGIApp

import biogpt_onnx
from biogpt_onnx.server.service import Service

PROMPTS = ["Cisplatin caused renal", "The patients were treated with"]
CHOICES = ["failure", "aspirin", "no"]


def choose(app: ASGIApp, **fields: object) -> Reply:
    return asyncio.run(ask(app, "POST", "/v1/choices", {"choices": CHOICES} | fields))


@pytest.mark.parametrize("ends", [False, True])
def test_choices_are_those_of_the_library(app: ASGIApp, mini: biogpt_onnx.BioGPT, *, ends: bool) -> None:
    reply = choose(app, prompt=PROMPTS, ends=ends)
    expected = mini.choose(PROMPTS, CHOICES, ends=ends)
    assert reply.status == 200
    assert [result["index"] for result in reply.json["results"]] == [0, 1]
    for result, choices in zip(reply.json["results"], expected, strict=True):
        assert result["best"] == choices.best.text
        assert result["choices"] == [
            {"text": one.text, "log_probability": one.log_probability, "probability": one.probability}
            for one in choices.choices
        ]


def test_one_prompt_and_a_list_of_one_are_the_same(app: ASGIApp) -> None:
    assert choose(app, prompt=PROMPTS[0]).json == choose(app, prompt=PROMPTS[:1]).json


def test_the_prompts_tokens_are_counted(app: ASGIApp, mini: biogpt_onnx.BioGPT) -> None:
    tokens = sum(len(mini.tokenizer.encode(prompt)) for prompt in PROMPTS)
    usage = choose(app, prompt=PROMPTS).json["usage"]
    assert usage == {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "prompt must be a text or a list of texts"),
        ({"prompt": []}, "prompt must be"),
        ({"prompt": 1}, "prompt must be"),
        ({"prompt": ["x", 1]}, r"prompt\[1\] must be a string"),
        ({"prompt": "\ud800"}, "half of a surrogate pair"),
        ({"prompt": ["x"] * 9}, "holds 9 prompts, at most 8"),
        ({"prompt": "word " * 2000}, "shorten the prompt"),
        ({"prompt": "x", "choices": []}, "choices must be a list of 1 to 256"),
        ({"prompt": "x", "choices": "yes"}, "choices must be a list"),
        ({"prompt": "x", "choices": ["a"] * 257}, "choices must be a list"),
        ({"prompt": "x", "choices": ["a", "a"]}, "choices"),
        ({"prompt": "x", "choices": ["a", " "]}, "choices"),
        ({"prompt": "x", "choices": ["a", {}]}, r"choices\[1\] must be a string"),
        ({"prompt": "x", "choices": ["a" * 1001]}, r"choices\[0\] must have at most 1000 characters"),
        ({"prompt": "x", "ends": "yes"}, "ends must be true or false"),
        ({"prompt": "x", "ranked": True}, "'ranked' is not known"),
        ({"prompt": "x", "model": "gpt"}, "no such model"),
    ],
)
def test_bad_requests_say_which_field(app: ASGIApp, fields: dict[str, Any], words: str) -> None:
    reply = choose(app, **fields)
    assert reply.status in {400, 404}
    assert reply.json["error"]["type"] == "invalid_request_error"
    assert re.search(words, reply.json["error"]["message"])


@pytest.fixture
def full(service: Service) -> Iterator[None]:
    """A server whose places are all taken."""
    count = service.settings.capacity - service.admission.used
    with service.admission.admit(count):
        yield


@pytest.mark.usefixtures("full")
def test_a_full_server_refuses_choices(app: ASGIApp) -> None:
    reply = choose(app, prompt="x")
    assert (reply.status, reply.json["error"]["code"]) == (429, "queue_full")
    assert int(reply.headers["retry-after"]) > 0


def test_a_client_that_leaves_is_not_answered_and_gives_its_places_back(
    service: Service, app: ASGIApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = asyncio.Event()
    choose_by_model = service.model.choose
    seen: list[bool] = []

    def choose_when_left(*arguments: Any, **settings: Any) -> Any:
        seen.append(settings["cancel"].wait(30))
        return choose_by_model(*arguments, **settings)

    monkeypatch.setattr(service.model, "choose", choose_when_left)

    async def leave() -> Reply:
        asyncio.get_running_loop().call_later(0.05, left.set)
        return await ask(app, "POST", "/v1/choices", {"prompt": "x", "choices": CHOICES}, leaves=left)

    reply = asyncio.run(leave())
    assert seen == [True]
    assert (reply.status, reply.parts) == (0, [])
    assert service.admission.used == 0
