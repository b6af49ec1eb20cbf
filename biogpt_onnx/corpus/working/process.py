"""A process of a pool: `python -m biogpt_onnx.corpus.working.process`, which the pool starts.

Its standard input holds one line of JSON with what to do, and then nothing, up to its end, with which the process ends
too: so it never outlives the one that started it. It writes events as lines of JSON on standard output.
"""

import json
import os
import signal
import sys
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from biogpt_onnx.corpus.run import Run
from biogpt_onnx.corpus.working.answering import UnitAnswering
from biogpt_onnx.corpus.working.bundle_record import record_bundle
from biogpt_onnx.corpus.working.claims import Claims
from biogpt_onnx.corpus.working.pool import REFUSED
from biogpt_onnx.corpus.working.shard import Shard
from biogpt_onnx.corpus.working.tries import Tries
from biogpt_onnx.corpus.working.worker import Report, Worker
from biogpt_onnx.runtime.background import start_in_background
from biogpt_onnx.runtime.errors import BioGptError, CancelledError
from biogpt_onnx.runtime.loading import load
from biogpt_onnx.runtime.system.cores import keep_to_cores
from biogpt_onnx.runtime.system.signals import ending_signals
from biogpt_onnx.runtime.system.streams import is_closed_by_reader


def main() -> int:
    """Does what standard input says, and returns the exit code."""
    # What a task's own code or a library prints must not stand between the events.
    events = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    warnings.showwarning = _show_warning  # type: ignore[assignment] # the rest of its arguments do not matter
    cancel = threading.Event()
    for number in ending_signals():
        signal.signal(number, lambda *_: cancel.set())
    order = json.loads(sys.stdin.readline())
    report = _reporting(events)
    try:
        start_in_background(_await_end, sys.stdin, cancel)
        _work(order, report, cancel)
    except CancelledError:
        return 0
    except (BioGptError, OSError, MemoryError) as error:
        report({"event": "error", "message": _message(error)})
        return REFUSED
    return 0


def _work(order: Mapping[str, Any], report: Report, cancel: threading.Event) -> None:
    if order["cores"] is not None:
        keep_to_cores(order["cores"])
    run = Run.open(order["run"])
    bundle = Path(order["bundle"])
    with load(
        bundle,
        device=order["device"],
        threads=order["threads"],
        share_weights=order["share_weights"],
        expect=order["expect"],
        check_memory=order["check_memory"],
    ) as model:
        answering = UnitAnswering(run, model, order["batch_size"])
        digest = record_bundle(run, model, bundle.resolve().name)
        report({"event": "ready"})
        claims = Claims(run)
        try:
            units = Shard(*order["shard"]).units(run)
            Worker(run, answering, digest, claims, Tries(run, order["tries"]), report, cancel).work(units)
        finally:
            claims.close()


def _await_end(stream: TextIO, cancel: threading.Event) -> None:
    stream.read()
    cancel.set()


def _reporting(events: TextIO) -> Report:
    def report(event: Mapping[str, Any]) -> None:
        try:
            print(json.dumps(event), file=events, flush=True)
        except OSError as error:
            if not is_closed_by_reader(error, events):
                raise
            # Who started this process is gone, which the end of standard input says as well.
            return

    return report


def _message(error: Exception) -> str:
    if isinstance(error, MemoryError) and not str(error):
        return "out of memory"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split("\n"))


def _show_warning(message: Warning | str, *_: object) -> None:
    sys.stderr.write(f"warning: {message}\n")


if __name__ == "__main__":
    sys.exit(main())
