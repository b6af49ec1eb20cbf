"""An hour under load: `python -m benchmarks.long_run --output FILE [--plot FILE] [--seconds S]`.

Side by side, a server answers clients, the command for relations goes through a file over and over, and a model is
loaded, used and closed. Memory, threads, open files and temporary files of each are taken all the while, and must not
grow behind the first fifth; every answer must be that of the first round. Exits with 1 where that does not hold.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.full_size import THREADS
from benchmarks.long_run.drawing import draw
from benchmarks.long_run.loops import files_in
from benchmarks.long_run.series import LEAST_SAMPLES, checks_of, growth_of
from benchmarks.processes import CHECKOUT, checkout_environment
from benchmarks.results_file import output_file, stamp, write_results
from biogpt_onnx.bench.machine import usable_cores
from biogpt_onnx.bench.measuring.process import PinnedProcess
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize import quantize_bundle
from biogpt_onnx.runtime.errors import BioGptError

SERVER = "server"
LOOPS = ("clients", "relations", "load and close")
_BAD_INPUT = 2


def main() -> int:
    """Runs it and writes the results; returns 1 where a check fails, 2 where it cannot run."""
    options = _options()
    results = stamp()
    try:
        with tempfile.TemporaryDirectory(prefix="long-run-") as name, ExitStack() as stack:
            jobs = _started(Path(name), options.bundle, stack)
            series = _series(jobs, options.seconds, options.interval)
    except (BioGptError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return _BAD_INPUT
    growth = {job: growth_of(samples) for job, samples in series.items()}
    checks = {job: checks_of(series[job], growth[job]) for job in series}
    settings = {"threads": THREADS, "seconds": options.seconds, "interval_seconds": options.interval}
    found = {"settings": settings, "growth": growth, "checks": checks, "series": series}
    write_results(options.output, results | found)
    if options.plot is not None:
        draw(series, options.plot)
    for job, held in checks.items():
        for check, passed in held.items():
            print(f"{'yes' if passed else 'NO ':3}  {job}: {check.replace('_', ' ')}")
    return 0 if all(all(held.values()) for held in checks.values()) else 1


def _started(folder: Path, bundle: Path | None, stack: ExitStack) -> dict[str, tuple[PinnedProcess, Path]]:
    """Starts everything; returns each process with the folder in which its files lie."""
    given = bundle or _embedded(folder)
    processes: dict[str, tuple[PinnedProcess, Path]] = {}

    def start(job: str, words: Sequence[object]) -> PinnedProcess:
        own = folder / job.replace(" ", "-")
        own.mkdir()
        command = [sys.executable, "-m", *map(str, words)]
        environment = checkout_environment() | {"TMPDIR": str(own)}
        log = folder / f"{own.name}.log"
        process = stack.enter_context(PinnedProcess(command, usable_cores()[:THREADS], log, environment))
        processes[job] = process, own
        return process

    serving = [sys.executable, "-m", "biogpt_onnx", "serve", given, "--port", "{port}", "--threads", 1]
    host = ["benchmarks.server.hosted", "--ready", "/ready", "--log", folder / "server-output"]
    port = start(SERVER, [*host, "--", *serving]).hello["port"]
    for job in LOOPS:
        start(job, ["benchmarks.long_run.loops", job, given, folder / job.replace(" ", "-"), port])
    return processes


def _embedded(folder: Path) -> Path:
    export_bundle(open_checkpoint(str(CHECKOUT / "checkpoints" / "mini")), folder / "fp32")
    quantize_bundle(folder / "fp32", folder / "int8", "int8", evaluation=False)
    return folder / "int8"


def _series(
    jobs: Mapping[str, tuple[PinnedProcess, Path]], seconds: float, interval: float
) -> dict[str, list[dict[str, Any]]]:
    series: dict[str, list[dict[str, Any]]] = {job: [] for job in jobs}
    for passed in _ticks(seconds, interval):
        for job, (process, folder) in jobs.items():
            files = {"files": files_in(folder)} if job == SERVER else {}
            series[job].append({"seconds": passed, **process.ask({"usage": {}}), **files})
    return series


def _ticks(seconds: float, interval: float) -> Iterator[float]:
    began = time.monotonic()
    while (passed := time.monotonic() - began) <= seconds:
        yield passed
        time.sleep(max(0.0, interval - (time.monotonic() - began) % interval))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=output_file, required=True, metavar="FILE", help="the results, as JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the series to an .svg or .png file")
    parser.add_argument("--seconds", type=float, default=3600, metavar="S", help="default an hour")
    parser.add_argument("--interval", type=float, default=10, metavar="S", help="between two samples (default 10)")
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="default: the embedded checkpoint in 8 bits")
    options = parser.parse_args()
    if not 0 < options.interval <= options.seconds / LEAST_SAMPLES:
        parser.error(f"--interval must leave {LEAST_SAMPLES} samples in --seconds")
    return options


if __name__ == "__main__":
    sys.exit(main())
