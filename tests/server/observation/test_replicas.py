"""The metrics of several replicas, of which any is asked, are those of all: no counter jumps from one to another."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import ASGIApp

import biogpt_onnx
from biogpt_onnx.server.app import create_app, make_service
from biogpt_onnx.server.observation.replicas import KEPT_SECONDS, MetricsBoard, ReplicaMetrics
from biogpt_onnx.server.settings import ServerSettings
from makers.asgi import ask

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: bytes | str) -> Samples:
    """The values in a text of metrics, by their names and labels; a family that stands twice fails the test."""
    families = list(text_string_to_metric_families(text.decode() if isinstance(text, bytes) else text))
    assert len({family.name for family in families}) == len(families)
    return {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}


@pytest.fixture
def replicas() -> list[ReplicaMetrics]:
    """Two replicas, of which the second has generated twice as much."""
    made = [ReplicaMetrics("mini", name) for name in ("one", "two")]
    for number, metrics in enumerate(made, 1):
        metrics.set_load(number, 0, number / 4)
        metrics.count_tokens(prompt=5, new=10 * number)
        metrics.note_first_token(0.03)
        metrics.note_answer(10, "length")
    return made


def test_any_replica_has_what_all_have(replicas: list[ReplicaMetrics]) -> None:
    one, two = replicas
    own = {("one", key): value for key, value in samples(one.own_text()).items()}
    own |= {("two", key): value for key, value in samples(two.own_text()).items()}
    one.others, two.others = {"two": two.own_text()}, {"one": one.own_text()}
    assert one.text() == two.text()
    expected = {(name, labels | {("replica", replica)}): value for (replica, (name, labels)), value in own.items()}
    assert samples(one.text()) == expected
    tokens = {labels: value for (name, labels), value in expected.items() if name == "biogpt_generation_tokens_total"}
    assert sorted(tokens.values()) == [10, 20]


def test_the_kinds_of_metrics_stay_what_they_are(replicas: list[ReplicaMetrics]) -> None:
    one, two = replicas
    one.others = {"two": two.own_text()}
    alone = [line for line in one.own_text().splitlines() if line.startswith("#")]
    assert [line for line in one.text().decode().splitlines() if line.startswith("#")] == alone


def test_the_board_gives_each_what_the_others_brought() -> None:
    board = MetricsBoard()
    assert board.exchange("one", "1") == {}
    assert board.exchange("two", "2") == {"one": "1"}
    assert board.exchange("one", "3") == {"two": "2"}
    assert board.exchange("two", "4") == {"one": "3"}


def test_a_replica_that_is_gone_is_dropped() -> None:
    now = 0.0
    board = MetricsBoard(lambda: now)
    board.exchange("one", "1")
    now = KEPT_SECONDS
    assert board.exchange("two", "2") == {"one": "1"}
    now = KEPT_SECONDS + 1
    assert board.exchange("two", "2") == {}
    assert board.exchange("three", "3") == {"two": "2"}


@pytest.fixture
def make_replica(mini: biogpt_onnx.BioGPT) -> Iterator[Callable[[ReplicaMetrics], ASGIApp]]:
    services = []

    def make(metrics: ReplicaMetrics) -> ASGIApp:
        services.append(make_service(mini, "mini", ServerSettings(), metrics=metrics))
        return create_app(services[-1])

    yield make
    for each in services:
        each.close()


def test_an_application_measures_in_the_metrics_that_it_was_given(
    make_replica: Callable[[ReplicaMetrics], ASGIApp], replicas: list[ReplicaMetrics]
) -> None:
    one, two = replicas
    one.others = {"two": two.own_text()}
    app = make_replica(one)
    asked = asyncio.run(ask(app, "POST", "/v1/completions", {"prompt": "Aspirin", "max_tokens": 3, "ignore_eos": True}))
    assert asked.status == 200
    found = samples(asyncio.run(ask(app, "GET", "/metrics")).body)
    counted = {
        dict(labels)["replica"]: value
        for (name, labels), value in found.items()
        if name == "biogpt_generation_tokens_total"
    }
    assert counted == {"one": 13, "two": 20}
