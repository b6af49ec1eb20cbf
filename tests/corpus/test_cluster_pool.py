"""The pool of a cluster with a Ray that runs actors in this process and can lose them."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from biogpt_onnx import BioGptError
from biogpt_onnx.corpus.cluster import pool as cluster_pool
from biogpt_onnx.corpus.cluster.nodes import WorkerNeeds
from biogpt_onnx.corpus.cluster.pool import PoolPlan, running_on_ray
from biogpt_onnx.corpus.run import Run
from biogpt_onnx.corpus.working.claims import this_process
from biogpt_onnx.corpus.working.pool import PoolEvent
from biogpt_onnx.corpus.working.tries import Tries
from makers.corpora import cluster_order

Merged = Callable[[Path], bytes]


class LostError(Exception):
    """Takes the place of Ray's error of an actor that died."""


class Call:
    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self._function, self._arguments = function, arguments

    def get(self) -> Any:
        return self._function(*self._arguments)


def _named(*, node_id: str, soft: bool) -> str:
    assert not soft
    return node_id


class FakeRay:
    """Runs each call when its result is asked for.

    Args:
        nodes: the number of CPUs of each node, by its name.
        lose: called with a method's name and its arguments; raises `LostError` to lose the actor.
    """

    def __init__(self, nodes: dict[str, int], lose: Callable[..., None] = lambda *_: None) -> None:
        self.cpus, self._lose, self.started = nodes, lose, list[str]()
        self.exceptions = SimpleNamespace(RayError=LostError)
        self.util = SimpleNamespace(scheduling_strategies=SimpleNamespace(NodeAffinitySchedulingStrategy=_named))

    def nodes(self) -> list[dict[str, Any]]:
        return [{"NodeID": name, "Alive": True, "Resources": {"CPU": cpus}} for name, cpus in self.cpus.items()]

    def remote(self, made: type) -> Any:
        def start(*arguments: object, node: str) -> Any:
            self.started.append(node)
            actor = made(arguments[0], lambda: False)

            def method(name: str) -> Any:
                def call(*given: object) -> Any:
                    self._lose(node, name, *given)
                    return getattr(actor, name)(*given)

                return SimpleNamespace(remote=lambda *given: Call(call, *given))

            return SimpleNamespace(open=method("open"), answer=method("answer"))

        def options(*, scheduling_strategy: str, **_: object) -> Any:
            return SimpleNamespace(remote=lambda *given: start(*given, node=scheduling_strategy))

        return SimpleNamespace(options=options)

    def wait(self, calls: list[Call], **_: object) -> tuple[list[Call], list[Call]]:
        return calls[:1], calls[1:]

    def get(self, call: Call) -> Any:
        return call.get()

    def cancel(self, call: Call) -> None:
        """Does nothing: no call is running."""

    def kill(self, actor: object) -> None:
        """Does nothing: an actor is an object of this process."""


def plan_for(run: Path, bundle: Path, workers: int | None = None, tries: int = 3) -> PoolPlan:
    opened, order = Run.open(run), cluster_order(run, bundle, tries)
    return PoolPlan(opened, opened.units, Tries(opened, tries), order, WorkerNeeds(None, 1), workers)


def events_of(ray: FakeRay, plan: PoolPlan) -> list[PoolEvent]:
    with running_on_ray(ray, plan) as events:
        return list(events)


def kinds(events: list[PoolEvent]) -> list[str]:
    return [str(event.values["event"]) for event in events]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_pool, "_NODES_SECONDS", 0.0)
    monkeypatch.setattr(cluster_pool, "POLL_SECONDS", 0.0)


def test_all_nodes_work_on_the_units(run: Path, mini_bundle: Path, expected: bytes, merged: Merged) -> None:
    ray = FakeRay({"a": 2, "b": 1, "head": 0})
    events = events_of(ray, plan_for(run, mini_bundle))
    assert (kinds(events).count("ready"), kinds(events).count("done")) == (3, 6)
    assert sorted(ray.started) == ["a", "a", "b"]
    assert merged(run) == expected


def test_there_are_no_more_workers_than_asked_for_or_than_units(run: Path, mini_bundle: Path) -> None:
    ray = FakeRay({"a": 64})
    events_of(ray, plan_for(run, mini_bundle, workers=2))
    assert ray.started == ["a", "a"]


def test_the_unit_of_a_worker_that_is_lost_is_answered_by_another_one(
    run: Path, mini_bundle: Path, expected: bytes, merged: Merged
) -> None:
    lost: list[tuple[object, ...]] = []

    def lose(_node: str, name: str, *given: object) -> None:
        if name == "answer" and given == (2,) and not lost:
            lost.append(given)
            raise LostError("it died")

    ray = FakeRay({"a": 1}, lose)
    assert kinds(events_of(ray, plan_for(run, mini_bundle))).count("died") == 1
    assert ray.started == ["a", "a"]
    assert merged(run) == expected


def test_a_node_that_joins_gets_workers(run: Path, mini_bundle: Path) -> None:
    ray = FakeRay({"a": 1})

    def join(_node: str, name: str, *_: object) -> None:
        if name == "answer":
            ray.cpus["b"] = 1

    ray._lose = join
    events_of(ray, plan_for(run, mini_bundle))
    assert ray.started == ["a", "b"]


def test_a_worker_that_never_gets_ready_ends_the_call_with_the_reason(run: Path, mini_bundle: Path) -> None:
    def lose(*_: object) -> None:
        raise LostError("details\nModuleNotFoundError: No module named 'biogpt_onnx'")

    with pytest.raises(BioGptError, match=r"ended 3 times before it could work: ModuleNotFoundError"):
        events_of(FakeRay({"a": 1}, lose), plan_for(run, mini_bundle))


def test_a_worker_that_refuses_ends_the_call_with_its_host(run: Path, mini_bundle: Path) -> None:
    plan = plan_for(run, mini_bundle / "missing")
    with pytest.raises(BioGptError, match=f"^{this_process()['host']}: .*missing"):
        events_of(FakeRay({"a": 1}), plan)


def test_a_cluster_that_is_lost_is_one_line(run: Path, mini_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object, **__: object) -> None:
        raise LostError("no connection")

    monkeypatch.setattr(FakeRay, "wait", lost)
    with pytest.raises(BioGptError, match=r"^the cluster is lost: no connection; the same call goes on later$"):
        events_of(FakeRay({"a": 1}), plan_for(run, mini_bundle))
