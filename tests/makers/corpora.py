"""Small corpora, and runs that are answered in this process."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import biogpt_onnx
from biogpt_onnx import BioGPT
from biogpt_onnx.corpus.run import CLAIMS_FOLDER, Run
from biogpt_onnx.corpus.working.answering import UnitAnswering
from biogpt_onnx.corpus.working.bundle_record import record_bundle
from biogpt_onnx.corpus.working.claims import Claims, this_process
from biogpt_onnx.corpus.working.tries import Tries
from biogpt_onnx.corpus.working.worker import Worker

SENTENCES = (
    "Lithium caused tremor in two of nine patients.",
    "Fatal renal failure was seen after cisplatin.",
    "Cocaine-induced seizures were prevented by diazepam.",
    "Haloperidol.",
)
PATIENCE = 180
"""Seconds after which a test gives up waiting for a process."""
CALL_MARK = f"{CLAIMS_FOLDER}/.unfinished-call"
"""The file of a run by which workers of a cluster tell it from a copy."""


def documents(number: int, **last: object) -> list[dict[str, object]]:
    """Documents with ids d0, d1, ... of several lengths; the fields of one more."""
    found: list[dict[str, object]] = [
        {"id": f"d{place}", "text": " ".join([SENTENCES[place % len(SENTENCES)]] * (1 + place % 3))}
        for place in range(number)
    ]
    return [*found, last] if last else found


def json_lines(rows: Sequence[Mapping[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def write_json_lines(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    path.write_text(json_lines(rows), encoding="utf-8")
    return path


def worker_of(  # noqa: PLR0913 -- what, by whom, and how
    folder: Path,
    model: BioGPT,
    *,
    answering: type[UnitAnswering] = UnitAnswering,
    tries: int = 3,
    events: list[Mapping[str, Any]] | None = None,
    cancel: threading.Event | None = None,
) -> Worker:
    """A worker on a run in this process; its events are added to the list."""
    run = Run.open(folder)
    bundle = record_bundle(run, model, "mini")
    report = (lambda _: None) if events is None else events.append
    return Worker(run, answering(run, model), bundle, Claims(run), Tries(run, tries), report, cancel)


def cluster_order(run: Path, bundle: Path, tries: int = 3) -> dict[str, Any]:
    """What workers of a cluster are told, where the call is this process."""
    (run / CALL_MARK).touch()
    return {
        "package": biogpt_onnx.__version__,
        "run": str(run),
        "digest": Run.open(run).digest,
        "mark": CALL_MARK,
        "bundle": str(bundle),
        "tries": tries,
        "caller": this_process(),
        "umask": 0o022,
        "device": "cpu",
        "threads": 1,
        "share_weights": False,
        "check_memory": True,
        "expect": None,
        "batch_size": None,
        "pin": False,
    }


def answer_run(folder: Path, model: BioGPT) -> None:
    """Answers all units of a run in this process."""
    worker_of(folder, model).work(Run.open(folder).units)


def start_work(folder: Path, bundle: Path, *more: str, hook: Path | None = None) -> "subprocess.Popen[str]":
    """Starts `corpus work`, in a group of its own.

    Args:
        folder: the run.
        bundle: the bundle.
        more: more arguments.
        hook: folder with a module `sitecustomize`, which every process imports before all others.
    """
    paths = [str(hook)] if hook is not None else []
    paths += [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, "-m", "biogpt_onnx", "corpus", "work", str(folder), str(bundle), *more]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def end_of(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """The exit code of a process and what it wrote to standard error."""
    _, said = process.communicate(timeout=PATIENCE)
    return process.returncode, said


def claiming(folder: Path) -> list[int]:
    """The processes that have claimed units."""
    found = []
    for path in (folder / CLAIMS_FOLDER).glob("[0-9]*.json"):
        try:
            found.append(int(json.loads(path.read_text(encoding="utf-8"))["process"]))
        except (OSError, ValueError):
            continue
    return found


def ended_process() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def wait_for(what: Callable[[], object], patience: float = PATIENCE) -> None:
    """Waits until a condition holds.

    Args:
        what: the condition.
        patience: seconds after which it is given up.

    Raises:
        TimeoutError: it does not.
    """
    deadline = time.monotonic() + patience
    while not what():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)
