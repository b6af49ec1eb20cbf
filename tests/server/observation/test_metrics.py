"""The metrics are what Prometheus reads, by vLLM's names, and count what was asked."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import ASGIApp

import biogpt_onnx
from biogpt_onnx.server.app import create_app, make_service
from biogpt_onnx.server.settings import ServerSettings
from makers.asgi import Reply, ask

TO_FIRST = ".001 .005 .01 .02 .04 .06 .08 .1 .25 .5 .75 1 2.5 5 7.5 10 20 40 80"
BETWEEN = ".0025 .005 .01 .025 .05 .075 .1 .15 .2 .3 .4 .5 .75 1 2.5 5"
REQUEST = ".3 .5 .8 1 1.5 2 2.5 5 10 15 20 30 40 50 60 120 240 480"
TOKENS = "1 2 5 10 20 50 100 200 500 1000"
HISTOGRAMS = {
    "time_to_first_token_seconds": TO_FIRST,
    "inter_token_latency_seconds": BETWEEN,
    "e2e_request_latency_seconds": REQUEST,
    "request_queue_time_seconds": REQUEST,
    "request_prefill_time_seconds": REQUEST,
    "request_decode_time_seconds": REQUEST,
    "request_prompt_tokens": TOKENS,
    "request_generation_tokens": TOKENS,
    "iteration_tokens_total": TOKENS,
}
GAUGES = ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc")
COUNTERS = ("prompt_tokens", "generation_tokens", "request_success", "requests_rejected", "http_requests")
MADE_UP = "zzsecretzz"


@pytest.fixture
def app(mini: biogpt_onnx.BioGPT) -> Iterator[ASGIApp]:
    """An application that nobody has asked yet."""
    service = make_service(mini, "mini", ServerSettings(max_rows=2, max_waiting=0, max_prompts=2))
    yield create_app(service)
    service.close()


def read(app: ASGIApp) -> dict[str, Metric]:
    reply = asyncio.run(ask(app, "GET", "/metrics"))
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = list(text_string_to_metric_families(reply.body.decode()))
    assert all(family.documentation for family in families)
    return {family.name: family for family in families if not family.name.endswith("_created")}


def value(metrics: dict[str, Metric], name: str, **labels: str) -> float:
    """The sum of the samples of a name with these labels."""
    return sum(
        sample.value
        for family in metrics.values()
        for sample in family.samples
        if sample.name == f"biogpt_{name}" and labels.items() <= sample.labels.items()
    )


def complete(app: ASGIApp, **fields: Any) -> Reply:
    return asyncio.run(ask(app, "POST", "/v1/completions", {"max_tokens": 5, "temperature": 0} | fields))


def test_names_kinds_and_buckets_are_those_of_vllm(app: ASGIApp) -> None:
    assert complete(app, prompt="Aspirin inhibits").status == 200
    metrics = read(app)
    kinds = dict.fromkeys(GAUGES, "gauge") | dict.fromkeys(COUNTERS, "counter") | dict.fromkeys(HISTOGRAMS, "histogram")
    assert {family.name: family.type for family in metrics.values()} == {
        f"biogpt_{name}": kind for name, kind in kinds.items()
    }
    for name, buckets in HISTOGRAMS.items():
        bounds = [
            float(sample.labels["le"])
            for sample in metrics[f"biogpt_{name}"].samples
            if sample.name == f"biogpt_{name}_bucket"
        ]
        assert bounds == [*map(float, buckets.split()), float("inf")], name
    labels = {name: set(sample.labels) for name in kinds for sample in metrics[f"biogpt_{name}"].samples[:1]}
    assert labels.pop("http_requests") == {"handler", "method", "status"}
    assert labels.pop("request_success") == {"model_name", "finished_reason"}
    labels.pop("requests_rejected", None)
    assert all(found - {"le"} == {"model_name"} for found in labels.values())


def test_they_count_what_was_asked(app: ASGIApp, mini: biogpt_onnx.BioGPT) -> None:
    prompts = ["Aspirin inhibits", "Insulin is"]
    generations = mini.generate(prompts, max_new_tokens=5)
    for stream in (False, True):
        assert complete(app, prompt=prompts, stream=stream).status == 200
    metrics = read(app)
    read_tokens = 2 * sum(one.usage.prompt_tokens for one in generations)
    assert value(metrics, "prompt_tokens_total", model_name="mini") == read_tokens
    assert value(metrics, "request_prompt_tokens_sum") == read_tokens
    assert value(metrics, "generation_tokens_total") == value(metrics, "request_generation_tokens_sum") == 20
    assert value(metrics, "request_success_total", finished_reason="length") == 4
    assert value(metrics, "time_to_first_token_seconds_count") == 4
    # Every token but the first one of each answer.
    assert value(metrics, "inter_token_latency_seconds_count") == 20 - 4
    assert value(metrics, "e2e_request_latency_seconds_count") == 2
    assert value(metrics, "request_queue_time_seconds_count") == 4
    # Every token but the last one of each answer was read once, and every prompt.
    assert value(metrics, "iteration_tokens_total_sum") == read_tokens + 20 - 4
    assert value(metrics, "http_requests_total", handler="/v1/completions", method="POST", status="200") == 2
    assert value(metrics, "num_requests_running") == value(metrics, "num_requests_waiting") == 0


def test_they_count_what_was_refused(app: ASGIApp) -> None:
    async def overload() -> list[Reply]:
        prompts = {"prompt": ["Aspirin"] * 2, "max_tokens": 50}
        return await asyncio.gather(*(ask(app, "POST", "/v1/completions", prompts) for _ in range(3)))

    statuses = sorted(reply.status for reply in asyncio.run(overload()))
    assert statuses == [200, 429, 429]
    assert complete(app, prompt="Aspirin", n=0).status == 400
    metrics = read(app)
    assert value(metrics, "requests_rejected_total", reason="queue_full") == 2
    assert value(metrics, "http_requests_total", status="429") == 2
    assert value(metrics, "http_requests_total", status="400") == 1


@pytest.mark.parametrize(
    "send",
    [
        lambda app: complete(app, prompt=MADE_UP),
        lambda app: complete(app, prompt="Aspirin", stop=MADE_UP, model=MADE_UP),
        lambda app: complete(app, prompt="Aspirin", **{MADE_UP: 1}),
        lambda app: asyncio.run(ask(app, "GET", f"/{MADE_UP}?{MADE_UP}")),
        lambda app: asyncio.run(ask(app, "GET", f"/v1/models/{MADE_UP}")),
        lambda app: asyncio.run(ask(app, MADE_UP, "/health")),
        lambda app: asyncio.run(ask(app, "GET", "/health", headers={"x-request-id": MADE_UP, "user-agent": MADE_UP})),
        lambda app: asyncio.run(ask(app, "GET", "/health", headers={"host": MADE_UP})),
    ],
)
def test_nothing_that_a_client_made_up_is_in_them(app: ASGIApp, send: Callable[[ASGIApp], Reply]) -> None:
    assert send(app).status < 500
    assert MADE_UP not in asyncio.run(ask(app, "GET", "/metrics")).body.decode()
