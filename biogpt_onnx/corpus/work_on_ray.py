"""Working on a corpus run by a Ray cluster, or by a cluster of this machine alone."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from biogpt_onnx._version import __version__
from biogpt_onnx.corpus.cluster.connection import connected
from biogpt_onnx.corpus.cluster.nodes import (
    ClusterCapacity,
    WorkerNeeds,
    capacity_of,
    choose_threads,
    nodes_of,
    places_on,
)
from biogpt_onnx.corpus.cluster.pool import PoolPlan, running_on_ray
from biogpt_onnx.corpus.publishing import UNFINISHED, owner
from biogpt_onnx.corpus.run import CLAIMS_FOLDER, Run
from biogpt_onnx.corpus.working.call import Call, open_call
from biogpt_onnx.corpus.working.capacity import check_numbers
from biogpt_onnx.corpus.working.claims import this_process
from biogpt_onnx.corpus.working.shard import Shard
from biogpt_onnx.corpus.working.tally import Tally, WorkReport
from biogpt_onnx.corpus.working.tries import TRIES
from biogpt_onnx.runtime.errors import ConfigError, DocumentError
from biogpt_onnx.runtime.options import Device

_ALL = Shard()
_CPU = "cpu"


def work_on_ray(  # noqa: PLR0913 -- what, by whom, and how
    run: str | os.PathLike[str],
    bundle: str | os.PathLike[str],
    address: str | None = None,
    *,
    shard: Shard = _ALL,
    workers: int | None = None,
    threads: int | None = None,
    device: Device = "auto",
    batch_size: int | None = None,
    tries: int = TRIES,
    retry: bool = False,
    pin: bool = True,
    expect: str | None = None,
    check_memory: bool = True,
    progress: Callable[[int, int], None] = lambda _, __: None,
    notice: Callable[[str], None] = lambda _: None,
    started: Callable[[ClusterCapacity], None] = lambda _: None,
) -> WorkReport:
    """Answers the units of a run that have no result by a Ray cluster, as `work` does by processes of this machine.

    Each node gets as many workers as it has CPUs and memory for, also one that joins later. A unit whose worker dies
    is given to another one, up to the number of tries. The run and the bundle must lie where all nodes see them under
    one name, and all nodes must have the same version of this package.

    Args:
        run: The folder of the run.
        bundle: The folder of a bundle of the run's task, which all calls must give.
        address: HOST:PORT of the cluster, of which this machine must be a node; "auto" for the cluster of this
            machine's node; None to start one on this machine for the time of the call.
        shard: The share of the units that is answered.
        workers: The most workers; None for as many as the cluster has room for.
        threads: Number of threads of each worker, and of CPUs that it takes; None for what suits the smallest node.
        device: Where the bundle runs: on the CPU, which is also what "auto" means, or each worker on a GPU of its own.
        batch_size: The most documents that are decoded together; None for what is best on the device.
        tries: The number of tries after which a unit is set aside.
        retry: True to try units again that were set aside.
        pin: True to keep each worker to cores of its own, where a node gives all of its cores.
        expect: Digest that the bundle must have, "sha256:" and 64 hexadecimal digits; each process reads and compares
            all of its files then. None to compare their sizes alone.
        check_memory: False to load the bundle even where the memory of a process seems too small; see `load`.
        progress: Called with the number of documents of units that are done, and of all of the shard.
        notice: Called with what a user should know, such as that a worker died.
        started: Called with what the cluster has room for at the beginning.

    Returns:
        What is done.

    Raises:
        BioGptError: The run or the bundle cannot be used, another bundle is recorded, results cannot be written, there
            is no cluster at the address, or a node does not see the run.
    """
    call = open_call(run, bundle, tries, expect)
    check_numbers(workers, threads, batch_size)
    if retry:
        call.tries.take_back()
    call.tries.withdraw_orphans()
    tally = Tally(call.run, shard.units(call.run), call.tries, notice)
    progress(tally.documents, tally.num_documents)
    if tally.is_settled:
        return tally.report()
    with connected(address) as ray, _marked(call.run) as mark:
        nodes = nodes_of(ray.nodes())
        threads = choose_threads(nodes, threads)
        needs = WorkerNeeds(call.manifest, threads, 0 if device in {_CPU, "auto"} else 1, batch_size)
        places = places_on(nodes, needs)
        if not places:
            gpus = " and a GPU" if needs.gpus else ""
            raise ConfigError(f"no node of the cluster has {threads} CPUs{gpus} for a worker: give fewer --threads")
        started(capacity_of(places, workers, threads))
        order = {
            **_order(call, mark, tries),
            "device": device if needs.gpus else _CPU,
            "threads": threads,
            "share_weights": not needs.gpus and len(places) > 1 and workers != 1,
            "batch_size": batch_size,
            "expect": expect,
            "check_memory": check_memory,
            "pin": pin and not needs.gpus,
        }
        with running_on_ray(ray, PoolPlan(call.run, tally.open_units(), call.tries, order, needs, workers)) as events:
            for event in events:
                tally.note(event.worker, event.values)
                progress(tally.documents, tally.num_documents)
    return tally.report()


def _order(call: Call, mark: str, tries: int) -> dict[str, object]:
    mask = os.umask(0o077)
    os.umask(mask)
    return {
        "package": __version__,
        "run": str(call.run.folder.resolve()),
        "digest": call.run.digest,
        "mark": mark,
        "bundle": str(call.bundle.resolve()),
        "tries": tries,
        "caller": this_process(),
        "umask": mask,
    }


@contextmanager
def _marked(run: Run) -> Iterator[str]:
    """Puts a file into the run for the block, by which workers tell it from a copy; yields its name in the run."""
    name = f"{CLAIMS_FOLDER}/{UNFINISHED}{owner()}-{secrets.token_hex(4)}-call"
    path = run.folder / name
    try:
        path.touch()
    except OSError as error:
        raise DocumentError(f"{path} cannot be written ({error.strerror or error}): see to it") from error
    try:
        yield name
    finally:
        path.unlink(missing_ok=True)
