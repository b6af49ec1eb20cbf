"""Scheduling by Ray, with workers that sleep: `python -m benchmarks.corpus.ray_scale --output FILE`.

Ray, its processes, the claims and the results of the run are real; the workers sleep for the time of a unit instead of
answering it, and Ray is told that this machine has a CPU for each of them. So this shows what the scheduler and the
run's files cost, and nothing of models, memory or networks.

Efficiency is the time in which a scheduler without any cost would hand the same units to as many workers in the same
order, over the time that it took, from the moment at which all workers were there. The time of a unit is drawn from a
normal distribution, of which mean and deviation are given; units of a corpus have equal numbers of tokens, and differ
little. What a unit costs beside its sleep does not depend on how long it sleeps, so its share of longer units is
computed from it.

The JSON holds `unit_seconds` (the times of the units of the largest number of workers), `driver_seconds_per_unit` (the
processor's time of the calling process, over the units), and `efficiency` and `efficiency_of_minutes` by numbers of
workers; `levels` has all that was measured.
"""

import argparse
import heapq
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.corpus.sleeping import GO, READY, load_sleeping
from benchmarks.results_file import output_file, stamp, write_results
from biogpt_onnx import corpus
from biogpt_onnx._version import __version__
from biogpt_onnx.corpus.cluster.connection import connected
from biogpt_onnx.corpus.cluster.nodes import WorkerNeeds
from biogpt_onnx.corpus.cluster.pool import PoolPlan, running_on_ray
from biogpt_onnx.corpus.publishing import UNFINISHED
from biogpt_onnx.corpus.run import CLAIMS_FOLDER, Run
from biogpt_onnx.corpus.working.claims import this_process
from biogpt_onnx.corpus.working.tries import Tries

LEVELS = (10, 32, 100)
MINUTE = 60.0

# More processes than cores: they start a few at a time, and may take long.
_RAY = {"RAY_worker_maximum_startup_concurrency": "4", "RAY_worker_register_timeout_seconds": "600"}


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    parser.add_argument("--workers", type=int, nargs="+", default=list(LEVELS), help="numbers of workers")
    parser.add_argument("--units", type=int, default=5, help="units for each worker (default 5)")
    parser.add_argument("--seconds", type=float, default=10.0, help="mean time of a unit (default 10)")
    parser.add_argument("--deviation", type=float, default=0.1, help="of the time, as a share of it (default 0.1)")
    options = parser.parse_args()
    made_on = stamp()
    os.environ |= _RAY
    # Ray's workers import this package too.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
    levels: list[dict[str, Any]] = []
    seconds: list[float] = []
    with connected(None, cpus=max(options.workers)) as ray, tempfile.TemporaryDirectory() as name:
        for workers in options.workers:
            seconds = draw(workers * options.units, options.seconds, options.deviation)
            levels.append(measure(ray, Path(name), workers, seconds))
            print(json.dumps(levels[-1]), file=sys.stderr)
    largest = levels[-1]
    write_results(
        options.output,
        {
            **made_on,
            "ray": ray.__version__,
            "workers_are": "processes of Ray that sleep, on one machine",
            "drawn_from": {"mean_seconds": options.seconds, "deviation_seconds": options.deviation * options.seconds},
            "unit_seconds": [round(each, 2) for each in seconds],
            "driver_seconds_per_unit": largest["driver_seconds_per_unit"],
            "efficiency": {str(level["workers"]): level["efficiency"] for level in levels},
            "efficiency_of_minutes": {str(level["workers"]): level["efficiency_of_minutes"] for level in levels},
            "levels": levels,
        },
    )


def draw(number: int, mean: float, deviation: float) -> list[float]:
    """Returns times of units from a normal distribution, none below a tenth of the mean; always the same ones."""
    source = random.Random(number)  # noqa: S311 -- no secret
    return [max(mean / 10, source.gauss(mean, mean * deviation)) for _ in range(number)]


def ideal_seconds(seconds: Sequence[float], workers: int) -> float:
    """Returns the time in which workers without any other cost take units in order, each the next one that waits."""
    free = [0.0] * workers
    for each in seconds:
        heapq.heappush(free, heapq.heappop(free) + each)
    return max(free)


def measure(ray: Any, folder: Path, workers: int, seconds: Sequence[float]) -> dict[str, Any]:  # noqa: ANN401 -- Ray
    """Measures one number of workers.

    Args:
        ray: The module `ray`, connected.
        folder: A folder for a run.
        workers: Number of workers.
        seconds: The time of each unit.
    """
    run = _run_of(folder / f"run-{workers}", len(seconds))
    barrier = folder / f"barrier-{workers}"
    barrier.mkdir()
    mark = f"{CLAIMS_FOLDER}/{UNFINISHED}call"
    (run.folder / mark).touch()
    mask = os.umask(0o077)
    os.umask(mask)
    order = {
        "package": __version__,
        "run": str(run.folder),
        "digest": run.digest,
        "mark": mark,
        "tries": 1,
        "caller": this_process(),
        "umask": mask,
        "barrier": str(barrier),
        "seconds": list(seconds),
    }
    plan = PoolPlan(run, run.units, Tries(run, 1), order, WorkerNeeds(None, 1), workers, load_sleeping)
    asked, began, processor = time.perf_counter(), 0.0, 0.0
    done = 0
    with running_on_ray(ray, plan) as events:
        for event in events:
            if not began and sum(1 for _ in barrier.glob(f"{READY}*")) == workers:
                (barrier / GO).touch()
                began, processor = time.perf_counter(), time.process_time()
            if event.values["event"] == "died":
                raise RuntimeError("a worker died: the machine is too small for so many")
            done += event.values["event"] == "done"
        ended, used = time.perf_counter(), time.process_time() - processor
    if done != len(seconds):
        raise RuntimeError(f"{done} of {len(seconds)} units are done")
    ideal = ideal_seconds(seconds, workers)
    lost = (ended - began - ideal) * workers / len(seconds)
    mean = statistics.fmean(seconds)
    return {
        "workers": workers,
        "units": len(seconds),
        "start_seconds": round(began - asked, 1),
        "seconds": round(ended - began, 3),
        "ideal_seconds": round(ideal, 3),
        "efficiency": round(ideal / (ended - began), 4),
        "lost_seconds_per_unit": round(lost, 4),
        "efficiency_of_minutes": round(MINUTE / (MINUTE + lost), 4) if mean < MINUTE else None,
        "driver_seconds_per_unit": round(used / len(seconds), 5),
    }


def _run_of(folder: Path, units: int) -> Run:
    source = folder.with_suffix(".jsonl")
    source.write_text("".join(json.dumps({"id": str(number), "text": "x"}) + "\n" for number in range(units)))
    corpus.prepare([source], folder, "bc5cdr", unit_documents=1)
    run = Run.open(folder)
    if len(run.units) != units:
        raise RuntimeError(f"the run has {len(run.units)} units")
    return run


if __name__ == "__main__":
    main()
