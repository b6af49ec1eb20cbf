"""Work on a cluster as far as it needs no Ray: addresses, nodes, and what a worker checks and answers."""

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx import ConfigError, corpus
from biogpt_onnx.cli import main
from biogpt_onnx.corpus.cluster import connection
from biogpt_onnx.corpus.cluster.actor import UnitActor, load_bundle
from biogpt_onnx.corpus.cluster.nodes import WorkerNeeds, capacity_of, choose_threads, nodes_of, places_on
from biogpt_onnx.corpus.run import Run
from biogpt_onnx.corpus.working.claims import Claims, this_process
from biogpt_onnx.corpus.working.tries import Tries
from biogpt_onnx.runtime.bundle import read_manifest
from makers.corpora import CALL_MARK, claiming, cluster_order, ended_process

Merged = Callable[[Path], bytes]


def order_for(run: Path, bundle: Path) -> dict[str, Any]:
    """What the only worker is told."""
    return {**cluster_order(run, bundle), "rank": 0, "workers": 1, "cpus": 1}


def actor_for(order: Mapping[str, Any], *, is_cancelled: bool = False) -> UnitActor:
    actor = UnitActor(load_bundle, lambda: is_cancelled)
    assert "error" not in actor.open(order)
    return actor


def described(name: str, *, alive: bool = True, **resources: float) -> dict[str, Any]:
    return {"NodeID": name, "Alive": alive, "Resources": resources}


def test_an_actor_answers_units_as_a_process_does(
    run: Path, mini_bundle: Path, expected: bytes, merged: Merged
) -> None:
    actor = actor_for(order_for(run, mini_bundle))
    for unit in Run.open(run).units:
        answer = actor.answer(unit.number)
        assert answer["settled"]
        assert [event["event"] for event in answer["events"]] == ["done"]
    assert merged(run) == expected


def test_a_cancelled_unit_leaves_no_trace(run: Path, mini_bundle: Path) -> None:
    actor = actor_for(order_for(run, mini_bundle), is_cancelled=True)
    assert actor.answer(0) == {"settled": False, "events": []}
    assert list((run / "tries").iterdir()) == []
    assert claiming(run) == []


def test_a_unit_that_another_process_has_claimed_is_left_to_it(run: Path, mini_bundle: Path) -> None:
    actor, opened = actor_for(order_for(run, mini_bundle)), Run.open(run)
    claims = Claims(opened)
    with claims.claimed(opened.units[0]):
        assert actor.answer(0) == {"settled": False, "events": []}
    claims.close()


def missing(run: Path) -> dict[str, object]:
    return {"run": str(run.with_name("missing"))}


def copied(run: Path) -> dict[str, object]:
    copy = shutil.copytree(run, run.with_name("copy"))
    (copy / CALL_MARK).unlink(missing_ok=True)
    return {"run": str(copy)}


def another(_run: Path) -> dict[str, object]:
    return {"digest": "0" * 64}


def older(_run: Path) -> dict[str, object]:
    return {"package": "0.0.1"}


def no_bundle(run: Path) -> dict[str, object]:
    return {"bundle": str(run.with_name("no-bundle"))}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (missing, "there is no folder"),
        (missing, "RUN must be a folder that all nodes see under one name"),
        (copied, "is another folder here than where the work was called for"),
        (another, "is another folder here than where the work was called for"),
        (older, "install the same one on all nodes"),
        (no_bundle, "no-bundle"),
    ],
)
def test_a_node_that_sees_another_run_or_bundle_says_so_in_one_line(
    run: Path, mini_bundle: Path, change: Callable[[Path], dict[str, object]], message: str
) -> None:
    answer = UnitActor(load_bundle, lambda: False).open(order_for(run, mini_bundle) | change(run))
    assert message in answer["error"]
    assert "\n" not in answer["error"]
    assert answer["host"] == this_process()["host"]


def test_only_tries_whose_caller_is_gone_are_withdrawn(run: Path) -> None:
    opened = Run.open(run)
    gone = {**this_process(), "process": ended_process()}
    kept = {
        Tries(opened).begin(opened.units[0]),
        Tries(opened, caller=this_process()).begin(opened.units[1]),
        Tries(opened, caller={"host": "elsewhere", "process": 1}).begin(opened.units[2]),
    }
    orphan = Tries(opened, caller=gone).begin(opened.units[3])
    confirmed = Tries(opened, caller=gone).begin(opened.units[4])
    Tries(opened).confirm(opened.units[4], this_process())
    Tries(opened).withdraw_orphans()
    assert not orphan.exists()
    assert set((run / "tries").iterdir()) == kept | {confirmed}


def test_a_claim_of_a_worker_that_is_known_to_be_gone_is_freed_and_no_other(run: Path) -> None:
    opened = Run.open(run)
    claims, unit = Claims(opened), opened.units[0]
    path = run / "claims" / f"{unit.name}.json"
    path.write_text(json.dumps({"host": "elsewhere", "process": 7}), encoding="utf-8")
    claims.abandon(unit, {"host": "elsewhere", "process": 8})
    assert claims.is_held(unit)
    claims.abandon(unit, {"host": "elsewhere", "process": 7})
    assert not claims.is_held(unit)
    claims.close()
    assert list((run / "claims").iterdir()) == []


def test_the_event_of_a_cancelled_call_can_be_waited_for(run: Path, mini_bundle: Path) -> None:
    actor = actor_for(order_for(run, mini_bundle), is_cancelled=True)
    assert actor._cancel.wait(60)
    assert not UnitActor(load_bundle, lambda: False)._cancel.wait(0.01)


def test_each_node_gets_as_many_workers_as_it_has_cpus_and_memory_for(mini_bundle: Path) -> None:
    manifest = read_manifest(mini_bundle)
    nodes = nodes_of(
        [
            described("b", CPU=8, memory=2**40),
            described("a", CPU=3, memory=2**40),
            described("small", CPU=8, memory=2**20),
            described("head", memory=2**40),
            described("lost", alive=False, CPU=8),
        ]
    )
    assert choose_threads(nodes, None) == 3
    assert choose_threads(nodes, 2) == 2
    places = places_on(nodes, WorkerNeeds(manifest, 2))
    assert [(place.node, place.rank) for place in places] == [
        *(("a", 0), ("b", 0), ("small", 0)),
        *(("b", 1), ("b", 2), ("b", 3)),
    ]
    assert capacity_of(places, None, 2) == corpus.ClusterCapacity(3, 6, 2)
    assert capacity_of(places, 2, 2) == corpus.ClusterCapacity(2, 2, 2)


def test_workers_on_gpus_have_one_each(mini_bundle: Path) -> None:
    nodes = nodes_of([described("a", CPU=16, GPU=2), described("b", CPU=16)])
    places = places_on(nodes, WorkerNeeds(read_manifest(mini_bundle), 4, gpus=1))
    assert [(place.node, place.rank) for place in places] == [("a", 0), ("a", 1)]


@pytest.mark.parametrize("threads", [0, -1, True])
def test_threads_below_one_are_refused(threads: int) -> None:
    with pytest.raises(ConfigError, match="threads is"):
        choose_threads([], threads)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("nonsense", "the address 'nonsense' is none: give HOST:PORT"),
        ("ray://head:10001", "is one of Ray's client: run this on a node"),
        ("127.0.0.1:1", "no Ray cluster answers at 127.0.0.1:1"),
        ("127.0.0.1:99999", "no Ray cluster answers at 127.0.0.1:99999"),
    ],
)
def test_an_address_without_a_cluster_is_one_line(
    run: Path, mini_bundle: Path, address: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["corpus", "work", str(run), str(mini_bundle), "--ray", address]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_without_ray_the_extra_is_named(
    run: Path, mini_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    monkeypatch.setattr(connection, "_MODULE", "no_such_ray")
    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(name, "0")
    assert main(["corpus", "work", str(run), str(mini_bundle), "--ray"]) == 2
    assert capsys.readouterr().err == "error: ray is not installed: pip install 'biogpt-onnx[cpu,cluster]'\n"
