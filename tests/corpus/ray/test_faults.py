"""Workers, nodes and calls of a Ray cluster that are killed: nothing is missing or doubled, and no byte differs."""

import contextlib
import json
import os
import signal
import stat
import sys
from pathlib import Path

import pytest

from biogpt_onnx import corpus
from makers.corpora import claiming, end_of, wait_for
from makers.faults import CRASHING, IN_UNIT, SLOW, Scene
from makers.ray_cluster import Cluster

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return "State:\tZ" not in Path(f"/proc/{process}/status").read_text(encoding="ascii")


def sockets_of(session: int) -> set[str]:
    """The inodes of the sockets of all processes of a session."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        # Processes end while they are looked at.
        with contextlib.suppress(OSError):
            _, _, fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")
            if int(fields.split()[3]) == session:
                found |= {str(each.readlink()) for each in (folder / "fd").iterdir()}
    return {name.removeprefix("socket:[").removesuffix("]") for name in found if name.startswith("socket:")}


def listening(session: int) -> set[str]:
    """The addresses, as the system writes them, at which processes of a session accept connections."""
    sockets, found = sockets_of(session), set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
                found.add(fields[1].partition(":")[0])
    return found


LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


def test_a_worker_that_is_killed_is_replaced_and_the_cluster_is_closed_to_others(scene: Scene) -> None:
    process = scene.start_slow("--ray", "--workers", "1")
    addresses = listening(process.pid)
    assert addresses
    assert addresses <= LOOPBACK
    scene.flag.touch()
    (worker,) = claiming(scene.run)
    os.kill(worker, signal.SIGKILL)
    code, said = end_of(process)
    assert code == 0
    assert said.splitlines() == [
        "note: 1 node for 1 worker of 1 thread each",
        "warning: a process ended suddenly, or was lost with its node, and is started again",
    ]
    scene.check()
    # The try that was killed is on record, and its caller is not to blame.
    (left,) = (scene.run / "tries").iterdir()
    assert left.name.startswith("000001.")
    assert json.loads(left.read_text(encoding="utf-8")) == {"reason": "the process that answered it ended suddenly"}
    # Ray's own files are private, results are not.
    (result,) = (scene.run / "results").glob("000001.jsonl")
    mask = os.umask(0o077)
    os.umask(mask)
    assert stat.S_IMODE(result.stat().st_mode) == 0o666 & ~mask


def test_a_unit_that_always_crashes_its_worker_is_set_aside_and_the_rest_goes_on(scene: Scene) -> None:
    code = IN_UNIT.format(what=CRASHING)
    ended, said = end_of(scene.start("--ray", "--workers", "2", "--threads", "1", "--tries", "2", code=code))
    assert ended == 1, said
    assert "warning: unit 000002 was set aside after 2 tries: the process that answered it ended suddenly" in said
    found = corpus.status(scene.run)
    assert (found.done, found.running, found.waiting) == (found.units - 1, 0, 0)
    (aside,) = found.set_aside
    assert (aside.unit, aside.tries) == (2, 2)
    scene.finish("--retry")
    scene.check()


def test_a_call_that_is_killed_takes_its_workers_along_and_is_gone_on_with(scene: Scene) -> None:
    process = scene.start_slow("--ray", "--workers", "1")
    (worker,) = claiming(scene.run)
    process.kill()
    end_of(process)
    wait_for(lambda: not is_alive(worker))
    assert not corpus.status(scene.run).is_complete
    # Even with one try: the unit is not to blame.
    scene.finish("--ray", "--threads", "1", "--tries", "1")
    scene.check()
    assert [name for name in scene.left() if name[0].isdigit()] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_call_has_its_workers_end_in_order(scene: Scene, number: signal.Signals) -> None:
    process = scene.start_slow("--ray", "--workers", "1")
    (worker,) = claiming(scene.run)
    if number == signal.SIGINT:
        # As on a terminal, where all of the group get it.
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    code, said = end_of(process)
    assert code == 128 + number
    assert f"note: what is done stays done: the same command goes on with {scene.run}" in said
    assert "Traceback" not in said
    assert scene.left() == []
    assert not is_alive(worker)
    scene.finish()
    scene.check()


def test_a_node_that_joins_gets_work_and_one_that_is_lost_is_done_without(scene: Scene, cluster: Cluster) -> None:
    hook = scene.run.with_name("hook")
    (hook / "sitecustomize.py").write_text(IN_UNIT.format(what=SLOW.format(flag=str(scene.flag))), encoding="utf-8")
    first = cluster.add_node()
    process = scene.start("--ray", cluster.address, "--threads", "1", place="none")
    wait_for(lambda: list((scene.run / "tries").glob("000001.*")))
    assert corpus.status(scene.run).done == 1
    cluster.add_node()
    # The first node's only worker is in unit 1, so that all else is the new one's.
    wait_for(lambda: corpus.status(scene.run).done == 5)
    scene.flag.touch()
    cluster.lose(first)
    code, said = end_of(process)
    assert code == 0, said
    assert "note: 1 node for 1 worker of 1 thread each" in said
    assert "a process ended suddenly, or was lost with its node," in said
    scene.check()


def test_what_a_worker_refuses_is_one_line_with_its_host(scene: Scene) -> None:
    (scene.run / "bundle.json").write_text(
        json.dumps({"sha256": "0" * 64, "name": "other", "device": "cpu", "package": "1"}), encoding="utf-8"
    )
    code, said = end_of(scene.start("--ray", "--workers", "1"))
    assert code == 2
    note, error = said.splitlines()
    assert note.startswith("note: ")
    assert error.startswith("error: ")
    assert f"{scene.run} was begun with the bundle other" in error
