"""Texts become the library's token ids, and these texts."""

import asyncio
from typing import Any

import pytest
from starlette.types import ASGIApp

import biogpt_onnx
from makers.asgi import Reply, ask

TEXT = "Aspirin inhibits TNF-α."


def post(app: ASGIApp, path: str, **fields: Any) -> Reply:
    return asyncio.run(ask(app, "POST", path, fields))


def test_a_text_becomes_the_ids_of_a_prompt(app: ASGIApp, mini: biogpt_onnx.BioGPT) -> None:
    ids = mini.tokenizer.encode(TEXT)
    for more in ({}, {"add_special_tokens": True}, {"model": "mini"}):
        assert post(app, "/tokenize", prompt=TEXT, **more).json == {
            "count": len(ids),
            "max_model_len": 1024,
            "tokens": ids,
        }
    assert post(app, "/tokenize", prompt="").json["tokens"] == [2]
    assert post(app, "/detokenize", tokens=ids).json == {"prompt": TEXT}
    assert post(app, "/detokenize", tokens=[]).json == {"prompt": ""}


def test_special_tokens_are_read_only_where_none_are_added(app: ASGIApp, mini: biogpt_onnx.BioGPT) -> None:
    """lm-eval asks in this way for the id of the token that begins a text."""
    ids = mini.tokenizer.encode(TEXT)
    assert post(app, "/tokenize", prompt=TEXT, add_special_tokens=False).json["tokens"] == ids[1:]
    info = asyncio.run(ask(app, "GET", "/tokenizer_info")).json
    for name, number in {"bos_token": 2, "eos_token": 2, "pad_token": 1, "unk_token": 3}.items():
        assert post(app, "/tokenize", prompt=info[name], add_special_tokens=False).json["tokens"] == [number]
    assert post(app, "/tokenize", prompt=f"</s>{TEXT}", add_special_tokens=False).json["tokens"] == ids
    assert post(app, "/tokenize", prompt="</s>").json["tokens"] == mini.tokenizer.encode("</s>") != [2, 2]


def test_the_tokenizer_is_described(app: ASGIApp, mini: biogpt_onnx.BioGPT) -> None:
    info = asyncio.run(ask(app, "GET", "/tokenizer_info")).json
    assert (info["vocab_size"], info["model_max_length"]) == (mini.tokenizer.vocab_size, 1024)
    assert (info["tokenizer_class"], info["chat_template"]) == ("BioGptTokenizer", None)


@pytest.mark.parametrize(
    ("path", "fields", "param"),
    [
        ("/tokenize", {}, "prompt"),
        ("/tokenize", {"prompt": ["a"]}, "prompt"),
        ("/tokenize", {"prompt": "\ud800"}, "prompt"),
        ("/tokenize", {"prompt": "a", "add_special_tokens": "no"}, "add_special_tokens"),
        ("/tokenize", {"prompt": "a", "messages": []}, None),
        ("/detokenize", {}, "tokens"),
        ("/detokenize", {"tokens": 5}, "tokens"),
        ("/detokenize", {"tokens": [2, True]}, "tokens"),
        ("/detokenize", {"tokens": [1.5]}, "tokens"),
        ("/detokenize", {"tokens": [-1]}, "tokens"),
        ("/detokenize", {"tokens": [10**9]}, "tokens"),
    ],
)
def test_wrong_fields_are_errors_that_name_them(
    app: ASGIApp, path: str, fields: dict[str, Any], param: str | None
) -> None:
    reply = post(app, path, **fields)
    assert (reply.status, reply.json["error"]["param"]) == (400, param)


def test_another_models_tokens_are_not_had(app: ASGIApp) -> None:
    for path, fields in (("/tokenize", {"prompt": "a"}), ("/detokenize", {"tokens": [2]})):
        assert post(app, path, model="gpt-4", **fields).json["error"]["code"] == "model_not_found"
