"""Working on a corpus run: units without a result are answered by one or several processes of this machine."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biogpt_onnx.corpus.run import Run, Unit
from biogpt_onnx.corpus.working.capacity import Capacity, choose_capacity, cores_of
from biogpt_onnx.corpus.working.pool import how_it_ended, running_pool
from biogpt_onnx.corpus.working.shard import Shard
from biogpt_onnx.corpus.working.tries import TRIES, SetAside, Tries
from biogpt_onnx.runtime.backends.registry import choose_backend
from biogpt_onnx.runtime.bundle import Manifest, check_files, read_manifest
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.options import Device
from biogpt_onnx.runtime.ort.providers import import_onnxruntime
from biogpt_onnx.tasks.bundle_check import check_bundle

_ALL = Shard()
_CPU = "cpu"


@dataclass(frozen=True)
class WorkReport:
    """What is done of the units of a call.

    Attributes:
        units: Number of units of the call's shard.
        done: Number of these that have results, whoever made them.
        documents: Number of documents of the units that are done.
        set_aside: The units that were set aside.
    """

    units: int
    done: int
    documents: int
    set_aside: tuple[SetAside, ...]

    @property
    def is_complete(self) -> bool:
        """True if all units have results."""
        return self.done == self.units


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
        progress: Called with the number of documents that are done, and of all of the shard.
        notice: Called with what a user should know, such as that a process died.
        started: Called with the processes and threads that were chosen.

    Returns:
        What is done.

    Raises:
        BioGptError: The run or the bundle cannot be used, another bundle is recorded, or results cannot be written.
    """
    opened = Run.open(run)
    if type(tries) is not int or tries < 1:
        raise ConfigError(f"tries is {tries!r}: give a whole number of 1 or more")
    bundle = Path(bundle)
    manifest = read_manifest(bundle)
    check_files(bundle, manifest)
    task = opened.task()
    check_bundle(manifest, task.name, task.soft_prompt_size)
    runs_on = _runs_on(manifest, device)
    capacity = _capacity(manifest, workers, threads, batch_size, runs_on)
    attempts = Tries(opened, tries)
    if retry:
        attempts.take_back()
    tally = _Tally(opened, shard.units(opened), attempts, notice)
    progress(tally.documents, tally.num_documents)
    if tally.is_settled:
        return tally.report()
    started(capacity)
    share = capacity.workers > 1 and runs_on == _CPU
    orders = [
        {
            "run": str(opened.folder.resolve()),
            "bundle": str(bundle.resolve()),
            "device": _CPU if runs_on == _CPU else device,
            "threads": capacity.threads,
            "cores": cores_of(number, capacity) if pin else None,
            "share_weights": share,
            "batch_size": batch_size,
            "shard": [shard.index, shard.count],
            "tries": tries,
        }
        for number in range(capacity.workers)
    ]
    with running_pool(orders) as events:
        for event in events:
            tally.note(event.worker, event.values)
            progress(tally.documents, tally.num_documents)
    return tally.report()


def chosen_capacity(
    bundle: str | os.PathLike[str],
    workers: int | None = None,
    threads: int | None = None,
    *,
    device: Device = "auto",
    batch_size: int | None = None,
) -> Capacity:
    """Returns the processes and threads that `work` starts for the same arguments.

    Raises:
        BioGptError: The bundle cannot be used, or a number is bad.
    """
    manifest = read_manifest(Path(bundle))
    return _capacity(manifest, workers, threads, batch_size, _runs_on(manifest, device))


def _runs_on(manifest: Manifest, device: Device) -> str:
    return choose_backend(import_onnxruntime(), device, manifest.precision).device


def _capacity(
    manifest: Manifest, workers: int | None, threads: int | None, batch_size: int | None, device: str
) -> Capacity:
    if device != _CPU:
        # Processes would share one GPU's memory.
        workers = workers or 1
    return choose_capacity(manifest, workers, threads, batch_size=batch_size)


class _Tally:
    """What is done of some units, by their results at the beginning and the events of processes."""

    def __init__(self, run: Run, units: list[Unit], tries: Tries, notice: Callable[[str], None]) -> None:
        self._units = {unit.number: unit for unit in units}
        self._run, self._tries, self._notice = run, tries, notice
        self._done = {unit.number for unit in units if run.result_file(unit).exists()}
        self._aside = {unit.number for unit in units if tries.is_aside(unit)} - self._done
        self._answering: dict[int, tuple[int, int]] = {}
        self.num_documents = sum(unit.documents for unit in units)

    @property
    def is_settled(self) -> bool:
        """True if nothing is left to do."""
        return len(self._done) + len(self._aside) == len(self._units)

    @property
    def documents(self) -> int:
        """Number of documents that are answered, those of units that are not done included."""
        begun = {unit: documents for unit, documents in self._answering.values() if unit not in self._done}
        return sum(self._units[number].documents for number in self._done) + sum(begun.values())

    def note(self, worker: int, event: Mapping[str, Any]) -> None:
        """Takes notice of an event."""
        kind, unit = event["event"], event.get("unit", -1)
        if kind in {"begun", "answered"}:
            self._answering[worker] = (unit, event.get("documents", 0))
        elif kind in {"done", "found"}:
            self._done.add(unit)
            self._answering.pop(worker, None)
        elif kind == "died":
            self._answering.pop(worker, None)
            self._notice(f"a process {how_it_ended(event['code'])} and is started again")
        elif kind == "failed":
            self._answering.pop(worker, None)
            self._notice(f"a try of unit {self._units[unit].name} failed: {event['reason']}")
        elif kind == "aside" and "reason" in event:
            self._notice(aside_in_words(self._units[unit].name, event["tries"], event["reason"]))

    def report(self) -> WorkReport:
        """Returns what is done, as the files of the run say."""
        done = [unit for unit in self._units.values() if self._run.result_file(unit).exists()]
        numbers = {unit.number for unit in done}
        aside = self._tries.aside()
        left = tuple(aside[number] for number in self._units if number in aside and number not in numbers)
        return WorkReport(len(self._units), len(done), sum(unit.documents for unit in done), left)


def aside_in_words(name: str, tries: int, reason: str) -> str:
    """Returns a line about a unit that was set aside."""
    after = f" after {tries} tries" if tries else ""
    return f"unit {name} was set aside{after}: {reason}"
