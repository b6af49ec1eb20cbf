"""A worker of a Ray cluster, which answers one unit of a run a call."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from biogpt_onnx._version import __version__
from biogpt_onnx.corpus.publishing import host
from biogpt_onnx.corpus.run import Run, Unit
from biogpt_onnx.corpus.working.answering import UnitAnswering
from biogpt_onnx.corpus.working.bundle_record import record_bundle
from biogpt_onnx.corpus.working.capacity import Capacity, cores_of
from biogpt_onnx.corpus.working.claims import Claims, this_process
from biogpt_onnx.corpus.working.tries import Tries
from biogpt_onnx.corpus.working.worker import Answering, Worker
from biogpt_onnx.runtime.errors import BioGptError, CancelledError, ConfigError, DocumentError
from biogpt_onnx.runtime.loading import load
from biogpt_onnx.runtime.system.cores import allowed_cores, can_choose_cores, keep_to_cores

_POLL_SECONDS = 0.1

Order = Mapping[str, Any]
"""What a worker is to do, as JSON values."""


Load = Callable[[Run, Order], tuple[Answering, str]]
"""Takes a run and an order; returns what answers its units, and the digest of the bundle's manifest."""


def load_bundle(run: Run, order: Order) -> tuple[Answering, str]:
    """Loads the bundle of an order, and records it in the run.

    Raises:
        BioGptError: The bundle cannot be loaded, or another one is recorded.
    """
    bundle = Path(order["bundle"])
    cores = _cores(order)
    if cores is not None:
        keep_to_cores(cores)
    model = load(
        bundle,
        device=order["device"],
        threads=order["threads"],
        share_weights=order["share_weights"],
        expect=order["expect"],
        check_memory=order["check_memory"],
    )
    return UnitAnswering(run, model, order["batch_size"]), record_bundle(run, model, bundle.name)


class UnitActor:
    """A worker of a cluster. It is made in a process of its own on some node, by `ray.remote(UnitActor)`.

    Args:
        load: Called once, with the run and the order.
        is_cancelled: Returns True if the call that is running was cancelled.
    """

    def __init__(self, load: Load, is_cancelled: Callable[[], bool]) -> None:
        self._load, self._cancel = load, _CancelEvent(is_cancelled)
        self._units: dict[int, Unit] = {}
        self._events: list[Mapping[str, Any]] = []
        self._worker: Worker | None = None

    def open(self, order: Order) -> dict[str, Any]:
        """Opens the run and loads the bundle.

        Returns:
            The "host" and the "process" of this worker, and the "error" if it cannot work.
        """
        try:
            self._open(order)
        except (BioGptError, OSError, MemoryError) as error:
            return {**this_process(), "error": _message(error)}
        return this_process()

    def answer(self, number: int) -> dict[str, Any]:
        """Does what can be done about a unit; see `Worker.settle`.

        Returns:
            "settled", True if nothing is left to do about the unit; the "events"; and the "error" if no unit can be
            answered any more.
        """
        if self._worker is None:
            raise RuntimeError("open comes first")
        self._events.clear()
        try:
            settled = self._worker.settle(self._units[number])
        except CancelledError:
            settled = False
        except (DocumentError, OSError, MemoryError) as error:
            return {"settled": False, "events": [], "error": f"{host()}: {_message(error)}"}
        return {"settled": settled, "events": list(self._events)}

    def _open(self, order: Order) -> None:
        # A cluster that was started for the call alone has a stricter one, for its own files.
        os.umask(order["umask"])
        if order["package"] != __version__:
            raise ConfigError(
                f"biogpt-onnx is of version {__version__} here, and of {order['package']} where the work was called "
                "for: install the same one on all nodes"
            )
        run = _same_run(order)
        answering, digest = self._load(run, order)
        tries = Tries(run, order["tries"], order["caller"])
        self._units = {unit.number: unit for unit in run.units}
        self._worker = Worker(run, answering, digest, Claims(run), tries, self._note, self._cancel)

    def _note(self, event: Mapping[str, Any]) -> None:
        # A call's events arrive with its end, when it is too late for these.
        if event["event"] not in {"begun", "answered"}:
            self._events.append(event)


class _CancelEvent(threading.Event):
    """An event that is set when Ray cancels the call."""

    def __init__(self, is_cancelled: Callable[[], bool]) -> None:
        super().__init__()
        self._is_cancelled = is_cancelled

    def is_set(self) -> bool:
        return self._is_cancelled()

    def wait(self, timeout: float | None = None) -> bool:
        end = None if timeout is None else time.monotonic() + timeout
        while not self.is_set():
            if end is not None and time.monotonic() >= end:
                return False
            time.sleep(_POLL_SECONDS)
        return True


def _same_run(order: Order) -> Run:
    """Opens the run, and checks that it is the folder in which the work was called for, and no copy."""
    remedy = "RUN must be a folder that all nodes see under one name"
    try:
        run = Run.open(order["run"])
    except DocumentError as error:
        raise DocumentError(f"{error}; {remedy}") from error
    if run.digest != order["digest"] or not (run.folder / order["mark"]).exists():
        raise DocumentError(f"{run.folder} is another folder here than where the work was called for: {remedy}")
    return run


def _cores(order: Order) -> list[int] | None:
    if not order["pin"] or not can_choose_cores() or len(allowed_cores()) != order["cpus"]:
        # The node gives other numbers of CPUs than there are: others work on it too.
        return None
    return cores_of(order["rank"], Capacity(order["workers"], order["threads"], 0, 0))


def _message(error: Exception) -> str:
    if isinstance(error, MemoryError) and not str(error):
        return "out of memory"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())
