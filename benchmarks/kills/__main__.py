"""Disturbs every job at random moments: `python -m benchmarks.kills --output FILE [--trials N] [--seed S]`.

Exits with 1 if anything was wrong. The report names for each trial the seed, which repeats it with `--only`.
"""

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.kills.disk import Disk, enter_namespace
from benchmarks.kills.jobs import JOBS, make_inputs
from benchmarks.kills.server import SERVER, server_trials
from benchmarks.kills.trials import FAULTS, OWN_DISK, SIGNALS, Bench, has_fault, reference_of, run_trial
from benchmarks.processes import CHECKOUT
from benchmarks.results_file import output_file, stamp, write_results

_DISK_MEGABYTES = 400
_CHECKPOINT = CHECKOUT / "checkpoints" / "mini"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the trials and writes the report."""
    options = _options(arguments)
    found: dict[str, Any] = {**stamp(), "seed": options.seed, "trials_each": options.trials, "jobs": {}}
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        folder = Path(name)
        (folder / "disk").mkdir()
        (folder / "inputs").mkdir()
        with closing(Disk(folder / "disk", _DISK_MEGABYTES)) as disk:
            bench = Bench(make_inputs(folder / "inputs", _CHECKPOINT), disk)
            faults = [fault for fault in options.fault or FAULTS if disk.is_own or fault not in OWN_DISK]
            found["left_out"] = sorted(set(options.fault or FAULTS) - set(faults))
            found["jobs"] = _trials(bench, faults, options)
    counts = [fault for job in found["jobs"].values() for fault in job.values()]
    found["trials"] = sum(count["trials"] for count in counts)
    found["problems"] = sum(len(count["problems"]) for count in counts)
    if options.output is not None:
        write_results(options.output, found)
    sys.stdout.write(f"{found['trials']:,} trials, {found['problems']} with problems\n")
    return 1 if found["problems"] or not found["trials"] else 0


def _trials(bench: Bench, faults: Sequence[str], options: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for job in JOBS:
        if options.job and job.name not in options.job:
            continue
        reference = reference_of(job, bench)
        found[job.name] = {
            fault: _summary(
                run_trial(job, fault, f"{options.seed}/{job.name}/{fault}/{number}", bench, reference)
                for number in range(options.trials)
            )
            for fault in faults
            if has_fault(job, fault)
        }
        _say(job.name, found[job.name])
    if not options.job or SERVER in options.job:
        trials = server_trials(bench, [fault for fault in faults if fault in SIGNALS], options.trials, options.seed)
        found[SERVER] = {fault: _summary(each) for fault, each in trials.items()}
        _say(SERVER, found[SERVER])
    return found


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.kills", description=__doc__)
    parser.add_argument("--output", type=output_file, help="report to write")
    parser.add_argument("--trials", type=int, default=15, help="trials of each job with each fault (default 15)")
    parser.add_argument("--seed", default="0", help="seed of all random moments (default 0)")
    parser.add_argument("--job", nargs="+", choices=[*(job.name for job in JOBS), SERVER], help="these jobs alone")
    parser.add_argument("--fault", nargs="+", choices=FAULTS, help="these faults alone")
    return parser.parse_args(arguments)


def _summary(trials: Any) -> dict[str, Any]:  # noqa: ANN401 -- of JSON values
    found = list(trials)
    return {
        "trials": len(found),
        "codes": dict(sorted(Counter(str(trial["code"]) for trial in found).items())),
        "left": dict(sorted(Counter(trial["left"] for trial in found).items())),
        "problems": [trial for trial in found if trial["problems"]],
    }


def _say(job: str, faults: dict[str, dict[str, Any]]) -> None:
    for fault, count in faults.items():
        codes = ", ".join(f"{code}: {times}" for code, times in count["codes"].items())
        sys.stderr.write(f"{job}, {fault}: {count['trials']} trials, codes {codes}, {len(count['problems'])} wrong\n")
        for trial in count["problems"]:
            sys.stderr.write(f"  {trial['seed']} ({trial['how']}): {'; '.join(trial['problems'])}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    enter_namespace("benchmarks.kills")
    sys.exit(main())
