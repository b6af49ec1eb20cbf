"""OpenAI's Python client gets from the server what the library answers, and its own classes of errors."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import biogpt_onnx
from makers.serving import KEY, Process

openai = pytest.importorskip("openai", reason="OpenAI's client is not installed: make test-clients")

PROMPT, OTHER = "Aspirin inhibits", "Insulin is"
LONG = {"model": "mini", "prompt": PROMPT, "max_tokens": 900, "temperature": 0, "extra_body": {"ignore_eos": True}}
GREEDY = {"model": "mini", "max_tokens": 8, "temperature": 0}


def connect(server: Process, **settings: Any) -> Any:
    return openai.OpenAI(base_url=server.url + "/v1", **{"api_key": "none", "max_retries": 0} | settings)


@pytest.fixture(scope="module")
def client(server: Process) -> Iterator[Any]:
    with connect(server) as found:
        yield found


def expected_texts(mini: biogpt_onnx.BioGPT, prompts: list[Any], **settings: Any) -> list[str]:
    answer = mini.generate if isinstance(prompts[0], str) else mini.generate_ids
    return [one.text for one in answer(prompts, **{"max_new_tokens": 8} | settings)]


@pytest.mark.parametrize(
    ("asked", "settings"),
    [
        ({}, {}),
        ({"max_tokens": 20, "stop": ["the", " of"]}, {"max_new_tokens": 20, "stop_strings": ["the", " of"]}),
        ({"temperature": 0.9, "seed": 7}, {"do_sample": True, "temperature": 0.9, "seed": 7}),
        ({"temperature": 1, "top_p": 0.6, "seed": 7}, {"do_sample": True, "top_p": 0.6, "seed": 7}),
        ({"presence_penalty": 1.5, "frequency_penalty": 1}, {"presence_penalty": 1.5, "frequency_penalty": 1.0}),
        ({"logit_bias": {"42": 60}}, {"sequence_bias": {(42,): 60.0}}),
        (
            {"extra_body": {"repetition_penalty": 1.4, "no_repeat_ngram_size": 2}},
            {"repetition_penalty": 1.4, "no_repeat_ngram_size": 2},
        ),
        ({"extra_body": {"allowed": [" aspirin", " insulin"]}}, {"allowed": [" aspirin", " insulin"]}),
        (
            {"temperature": openai.omit, "extra_body": {"num_beams": 3, "length_penalty": 0.5}},
            {"num_beams": 3, "length_penalty": 0.5},
        ),
    ],
)
@pytest.mark.parametrize(
    "prompts", [[PROMPT], [PROMPT, OTHER], [[2, 1234, 567], [2, 42]]], ids=["one", "several", "ids"]
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_completions_are_those_of_the_library(  # noqa: PLR0913, PLR0917 -- what is asked, and by what
    client: Any,
    mini: biogpt_onnx.BioGPT,
    asked: Mapping[str, Any],
    settings: Mapping[str, Any],
    prompts: list[Any],
    stream: bool,  # noqa: FBT001
) -> None:
    answer = client.completions.create(prompt=prompts, stream=stream, **{**GREEDY, **asked})
    texts = ["" for _ in prompts]
    for chunk in answer if stream else [answer]:
        assert (chunk.model, chunk.object) == ("mini", "text_completion")
        for choice in chunk.choices:
            texts[choice.index] += choice.text
    assert texts == expected_texts(mini, prompts, **settings)


def test_a_text_and_ids_alone_are_a_prompt(client: Any, mini: biogpt_onnx.BioGPT) -> None:
    whole = client.completions.create(prompt=PROMPT, **GREEDY)
    ids = client.completions.create(prompt=mini.tokenizer.encode(PROMPT), **GREEDY)
    generation = mini.generate(PROMPT, max_new_tokens=8)
    for answer in (whole, ids):
        (choice,) = answer.choices
        assert (choice.text, choice.finish_reason, choice.index) == (generation.text, "length", 0)
        assert answer.usage.prompt_tokens == generation.usage.prompt_tokens
        assert answer.usage.completion_tokens == 8
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + 8
        assert answer._request_id == answer.id.removeprefix("cmpl-")


def test_several_answers_to_a_prompt(client: Any, mini: biogpt_onnx.BioGPT) -> None:
    settings = {"model": "mini", "max_tokens": 8, "temperature": 0.9, "seed": 5, "n": 4}
    answer = client.completions.create(prompt=PROMPT, **settings)
    expected = mini.generate(
        PROMPT, max_new_tokens=8, do_sample=True, temperature=0.9, seed=5, num_return_sequences=4
    ).sequences
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert sorted(choice.text for choice in answer.choices) == sorted(one.text for one in expected)
    assert client.completions.create(prompt=PROMPT, **settings).choices == answer.choices


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_log_probabilities_of_prompt_and_answer(
    client: Any,
    mini: biogpt_onnx.BioGPT,
    stream: bool,  # noqa: FBT001
) -> None:
    answer = client.completions.create(prompt=PROMPT, logprobs=3, echo=True, stream=stream, **GREEDY)
    choices = [choice for chunk in (answer if stream else [answer]) for choice in chunk.choices]
    text = "".join(choice.text for choice in choices)
    found = {
        name: [value for choice in choices for value in getattr(choice.logprobs, name)]
        for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset")
    }
    score, generation = mini.score(PROMPT, logprobs=3), mini.generate(PROMPT, max_new_tokens=8, logprobs=3)
    assert text == PROMPT + generation.text
    assert score.logprobs is not None
    assert generation.logprobs is not None
    expected = [*score.logprobs, *generation.logprobs]
    assert (found["token_logprobs"][0], found["top_logprobs"][0]) == (None, None)
    assert found["token_logprobs"][1:] == [token.logprob for token in expected]
    assert found["tokens"][1:] == [token.text for token in expected]
    for tops, token in zip(found["top_logprobs"][1:], expected, strict=True):
        assert tops.items() >= {one.text: one.logprob for one in token.top}.items()
    offsets = found["text_offset"]
    assert offsets == sorted(offsets)
    assert text[offsets[1] :].startswith("Aspirin"[:1])


def test_a_stream_ends_with_its_usage(client: Any) -> None:
    whole = client.completions.create(prompt=[PROMPT, OTHER], **GREEDY)
    *chunks, last = client.completions.create(
        prompt=[PROMPT, OTHER], stream=True, stream_options={"include_usage": True}, **GREEDY
    )
    assert last.choices == []
    assert last.usage == whole.usage
    assert all(chunk.choices for chunk in chunks)
    assert len(chunks) >= 8
    ends = [(choice.index, choice.finish_reason) for chunk in chunks for choice in chunk.choices]
    assert sorted(end for end in ends if end[1]) == [(0, "length"), (1, "length")]


def test_models_are_listed_and_found(client: Any) -> None:
    (model,) = client.models.list().data
    assert (model.id, model.object, model.owned_by) == ("mini", "model", "biogpt-onnx")
    assert model.max_model_len == 1024
    assert client.models.retrieve("mini") == model
    with pytest.raises(openai.NotFoundError, match="this server has mini"):
        client.models.retrieve("gpt-4")


def test_wrong_requests_are_its_errors(client: Any) -> None:
    with pytest.raises(openai.BadRequestError) as bad:
        client.completions.create(prompt=PROMPT, **GREEDY | {"temperature": -3})
    assert (bad.value.param, bad.value.type) == ("temperature", "invalid_request_error")
    assert "temperature must be a number from 0" in bad.value.message
    assert bad.value.request_id
    with pytest.raises(openai.BadRequestError) as unknown:
        client.completions.create(prompt=PROMPT, **GREEDY, extra_body={"repetition_penaltyy": 2}, stream=True)
    assert unknown.value.code == "unknown_field"
    with pytest.raises(openai.NotFoundError, match="/v1/completions"):
        client.chat.completions.create(model="mini", messages=[{"role": "user", "content": PROMPT}])
    with pytest.raises(openai.NotFoundError) as missing:
        client.completions.create(prompt=PROMPT, **GREEDY | {"model": "gpt-4"})
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="mini", input=PROMPT)


def test_a_key_is_needed_where_there_are_keys(serve: Callable[..., Process], tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.touch(mode=0o600)
    keys.write_text(KEY)
    server = serve("--api-key-file", str(keys), "--model-name", "mini")
    with connect(server, api_key="wrong") as client, pytest.raises(openai.AuthenticationError) as refused:
        client.models.list()
    assert (refused.value.code, refused.value.type) == ("invalid_api_key", "authentication_error")
    with connect(server, api_key=KEY) as client:
        assert client.completions.create(prompt=PROMPT, **GREEDY).choices[0].text


def when_idle(server: Process) -> None:
    """Waits until nothing runs or waits."""
    end = time.monotonic() + 60
    while server.ask("GET", "/load")[1]["server_load"]:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_full_queue_is_a_rate_limit_and_trying_again_helps(serve: Callable[..., Process]) -> None:
    server = serve("--model-name", "mini", "--max-rows", "1", "--max-waiting", "0", "--max-prompts", "1")
    with connect(server) as client:
        stream = client.completions.create(stream=True, **LONG)
        next(stream)
        with pytest.raises(openai.RateLimitError) as refused:
            client.completions.create(prompt=OTHER, **GREEDY)
        assert refused.value.code == "queue_full"
        assert int(refused.value.response.headers["retry-after"]) > 0

        # It waits as long as the answer says, for the first request to have gone.
        refusals = count_refusals(server)
        waiting: list[str] = []

        def ask_again() -> None:
            with connect(server, max_retries=5) as patient:
                waiting.append(patient.completions.create(prompt=OTHER, **GREEDY).choices[0].text)

        thread = threading.Thread(target=ask_again)
        thread.start()
        while count_refusals(server) == refusals:
            time.sleep(0.01)
        stream.close()
        thread.join(60)
        assert len(waiting) == 1


def count_refusals(server: Process) -> float:
    text = server.ask("GET", "/metrics")[1].decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if "biogpt_requests_rejected_total{" in line)


def test_a_client_that_waits_no_longer_frees_its_place(server: Process) -> None:
    with connect(server, timeout=0.2) as client, pytest.raises(openai.APITimeoutError):
        client.completions.create(**LONG)
    when_idle(server)


def test_a_client_that_leaves_a_stream_frees_its_place(server: Process, client: Any) -> None:
    with client.completions.create(stream=True, **LONG) as stream:
        for _ in range(3):
            next(stream)
        assert server.ask("GET", "/load")[1]["running"] == 1
    when_idle(server)
    assert client.completions.create(prompt=PROMPT, **GREEDY).choices[0].text


def test_many_requests_at_once_get_each_their_own_answer(server: Process, mini: biogpt_onnx.BioGPT) -> None:
    prompts = [f"{PROMPT} {number} of" for number in range(20)]

    async def ask_all() -> list[str]:
        async with openai.AsyncOpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0) as client:

            async def ask(number: int) -> str:
                answer = await client.completions.create(prompt=prompts[number], stream=number % 2 == 1, **GREEDY)
                if number % 2 == 0:
                    return str(answer.choices[0].text)
                return "".join([chunk.choices[0].text async for chunk in answer])

            return await asyncio.gather(*(ask(number) for number in range(20)))

    assert asyncio.run(ask_all()) == [mini.generate(prompt, max_new_tokens=8).text for prompt in prompts]
