"""Working on a corpus run: units without a result are answered by one or several processes of this machine."""

import os
from collections.abc import Callable
from pathlib import Path

from biogpt_onnx.corpus.working.call import open_call
from biogpt_onnx.corpus.working.capacity import Capacity, check_numbers, choose_capacity, cores_of
from biogpt_onnx.corpus.working.pool import running_pool
from biogpt_onnx.corpus.working.shard import Shard
from biogpt_onnx.corpus.working.tally import Tally, WorkReport
from biogpt_onnx.corpus.working.tries import TRIES
from biogpt_onnx.runtime.backends.registry import choose_backend
from biogpt_onnx.runtime.bundle import Manifest, read_manifest
from biogpt_onnx.runtime.bundle.digest import read_expected_manifest
from biogpt_onnx.runtime.options import Device
from biogpt_onnx.runtime.ort.providers import import_onnxruntime

_ALL = Shard()
_CPU = "cpu"


def work(  # noqa: PLR0913 -- what, by whom, and how
    run: str | os.PathLike[str],
    bundle: str | os.PathLike[str],
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
    started: Callable[[Capacity], None] = lambda _: None,
) -> WorkReport:
    """Answers the units of a run that have no result, by processes of this machine, and waits for those of others.

    Any number of calls may work on one run, on machines that share its folder. A unit's results appear at once, and
    the first ones count. An interrupted call leaves the run as it can be continued; the units that it was answering are
    answered anew.

    Args:
        run: The folder of the run.
        bundle: The folder of a bundle of the run's task, which all calls must give.
        shard: The share of the units that is answered.
        workers: Number of processes; None for as many as suit the cores and the memory.
        threads: Number of threads of each process; None for as many as suit the cores.
        device: Where the bundle runs.
        batch_size: The most documents that are decoded together; None for what is best on the device.
        tries: The number of tries after which a unit is set aside.
        retry: True to try units again that were set aside.
        pin: True to keep each process to cores of its own, where that can be done.
        expect: Digest that the bundle must have, "sha256:" and 64 hexadecimal digits; each process reads and compares
            all of its files then. None to compare their sizes alone.
        check_memory: False to load the bundle even where the memory of a process seems too small; see `load`.
        progress: Called with the number of documents that are done, and of all of the shard.
        notice: Called with what a user should know, such as that a process died.
        started: Called with the processes and threads that were chosen.

    Returns:
        What is done.

    Raises:
        BioGptError: The run or the bundle cannot be used, another bundle is recorded, or results cannot be written.
    """
    call = open_call(run, bundle, tries, expect)
    runs_on = _runs_on(call.manifest, device)
    check_numbers(workers, threads, batch_size)
    if retry:
        call.tries.take_back()
    tally = Tally(call.run, shard.units(call.run), call.tries, notice)
    progress(tally.documents, tally.num_documents)
    if tally.is_settled:
        return tally.report()
    given, units = _workers_on(runs_on, workers), len(tally.open_units())
    capacity = choose_capacity(call.manifest, given, threads, batch_size=batch_size, units=units)
    started(capacity)
    share = capacity.workers > 1 and runs_on == _CPU
    orders = [
        {
            "run": str(call.run.folder.resolve()),
            "bundle": str(call.bundle.resolve()),
            "device": _CPU if runs_on == _CPU else device,
            "threads": capacity.threads,
            "cores": cores_of(number, capacity) if pin else None,
            "share_weights": share,
            "batch_size": batch_size,
            "shard": [shard.index, shard.count],
            "tries": tries,
            "expect": expect,
            "check_memory": check_memory,
        }
        for number in range(capacity.workers)
    ]
    with running_pool(orders) as events:
        for event in events:
            tally.note(event.worker, event.values)
            progress(tally.documents, tally.num_documents)
    return tally.report()


def chosen_capacity(  # noqa: PLR0913 -- the arguments of `work`
    bundle: str | os.PathLike[str],
    workers: int | None = None,
    threads: int | None = None,
    *,
    device: Device = "auto",
    batch_size: int | None = None,
    expect: str | None = None,
) -> Capacity:
    """Returns the processes and threads that `work` starts for the same arguments and many units.

    Raises:
        BioGptError: The bundle cannot be used or is not the expected one, or a number is bad.
    """
    folder = Path(bundle)
    manifest = read_manifest(folder) if expect is None else read_expected_manifest(folder, expect)[0]
    workers = _workers_on(_runs_on(manifest, device), workers)
    return choose_capacity(manifest, workers, threads, batch_size=batch_size)


def _runs_on(manifest: Manifest, device: Device) -> str:
    return choose_backend(import_onnxruntime(), device, manifest.precision).device


def _workers_on(device: str, workers: int | None) -> int | None:
    """Returns the number of processes that is given; on a GPU one, as several would share its memory."""
    return workers if device == _CPU else workers or 1
