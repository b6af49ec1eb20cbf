"""Fuzzes every reader: `python -m benchmarks.fuzzing --output FILE [--inputs N] [--reader NAME ...]`.

Each reader gets N inputs, made by libFuzzer where atheris is installed (Python coverage leads it), else by mutations of
whatever led to something new; and then inputs of one megabyte. Held is that nothing but the errors for users is raised,
no process crashes or hangs, and no input of a megabyte takes over 10 s or 500 MB. Exits with 1 where one does. The
report is written reader by reader; `--continue` leaves out the readers in which it has no problem.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.fuzzing.all_readers import all_readers
from benchmarks.fuzzing.corpus import add_to_corpus
from benchmarks.fuzzing.trial import MOST_BYTES, MOST_SECONDS
from benchmarks.fuzzing.worker import CURRENT, PROGRESS, RESULT
from benchmarks.processes import CHECKOUT, checkout_environment
from benchmarks.results_file import output_file, stamp, write_results

_HANGS_SECONDS = 180
_POLL_SECONDS = 0.2
_MOST_CRASHES = 10
_SAID = 2_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the fuzzing and writes the report."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="fuzzing-") as name:
        known = list(all_readers(Path(name)))
    if unknown := set(options.reader or ()) - set(known):
        sys.stderr.write(f"error: there is no reader {min(unknown)}: there are {', '.join(known)}\n")
        return 2
    head: dict[str, Any] = stamp()
    bounds = {"most_seconds": MOST_SECONDS, "most_bytes": MOST_BYTES, "inputs_each": options.inputs}
    found: dict[str, Any] = {**head, "seed": options.seed, **bounds, "readers": _before(options)}
    chosen = [reader for reader in options.reader or known if not _is_done(found["readers"].get(reader), options)]
    with ThreadPoolExecutor(options.processes) as pool:
        for reader, result in zip(chosen, pool.map(lambda each: _fuzz(each, options), chosen), strict=True):
            shortest = {name: bytes.fromhex(data) for name, data in result.pop("shortest").items()}
            result["outcomes"] = len(shortest)
            if options.keep and not result["problems"]:
                result["kept"] = add_to_corpus(reader, shortest)
            found["readers"][reader] = {**result, **_where(head)}
            _say(reader, result)
            _write(found, options)
    _write(found, options)
    problems = found["problems"]
    sys.stdout.write(f"{len(found['readers'])} readers, {found['inputs']:,} inputs, {problems} problems\n")
    return 1 if problems else 0


def _before(options: argparse.Namespace) -> dict[str, Any]:
    """Returns what a report to be gone on with has of each reader, with the commit that was fuzzed and where."""
    if not options.go_on or options.output is None or not options.output.exists():
        return {}
    found: dict[str, Any] = json.loads(options.output.read_text(encoding="utf-8"))
    return {name: _where(found) | result for name, result in found["readers"].items()}


def _where(report: dict[str, Any]) -> dict[str, str]:
    return {name: report["machine"][name] for name in ("commit", "cpu")}


def _is_done(result: dict[str, Any] | None, options: argparse.Namespace) -> bool:
    return result is not None and not result["problems"] and result["inputs"] >= options.inputs


def _write(found: dict[str, Any], options: argparse.Namespace) -> None:
    found["inputs"] = sum(result["inputs"] for result in found["readers"].values())
    found["problems"] = sum(len(result["problems"]) for result in found["readers"].values())
    if options.output is not None:
        write_results(options.output, found)


def _fuzz(reader: str, options: argparse.Namespace) -> dict[str, Any]:
    """Fuzzes a reader, again after each crash, until it had all of its inputs."""
    total: dict[str, Any] = {"inputs": 0, "seconds": 0.0, "problems": [], "shortest": {}}
    for round_number in range(_MOST_CRASHES):
        left = options.inputs - total["inputs"]
        if left <= 0:
            break
        with tempfile.TemporaryDirectory(prefix="fuzzing-state-") as name:
            result = _run_worker(reader, left, f"{options.seed}{round_number}", Path(name), options)
        for key in ("inputs", "seconds"):
            total[key] += result.pop(key, 0)
        total["problems"] += result.pop("problems")
        total["shortest"] |= result.pop("shortest", {})
        total |= result
    # Without the instruments of atheris, which take several times as long.
    with tempfile.TemporaryDirectory(prefix="fuzzing-state-") as name:
        result = _run_worker(reader, 0, options.seed, Path(name), options)
    total["problems"] += result["problems"]
    for key in ("inflated", "slowest_seconds", "largest_growth_bytes"):
        total[key] = max(total.get(key, 0), result.get(key, 0))
    return total


def _run_worker(reader: str, inputs: int, seed: str, state: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Runs a worker on so many inputs, or for none on inputs of a megabyte."""
    words = [reader, "--inputs", str(inputs), "--seed", seed, "--state", str(state)]
    words += [] if inputs else ["--inflate"]
    words += ["--no-atheris"] if options.no_atheris or not inputs else []
    command = [sys.executable, "-m", "benchmarks.fuzzing.worker", *words]
    environment = {**os.environ, **checkout_environment()}
    with (state / "said").open("wb") as said:
        process = subprocess.Popen(
            command, cwd=CHECKOUT, env=environment, stdout=said, stderr=said, stdin=subprocess.DEVNULL
        )
        how = _ended(process, state)
    result = state / RESULT
    if how == "ended with 0" and result.exists():
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return found
    progress = state / PROGRESS
    done = int(progress.read_text(encoding="ascii") or 0) if progress.exists() else 0
    tail = (state / "said").read_bytes()[-_SAID:].decode(errors="replace")
    return {"inputs": done + 1, "problems": [{"problem": f"the process {how}: {tail}", "input": _current(state).hex()}]}


def _ended(process: "subprocess.Popen[bytes]", state: Path) -> str:
    """Waits for a worker, kills one that makes no progress, and returns how it ended."""
    last, since = b"", time.monotonic()
    while process.poll() is None:
        time.sleep(_POLL_SECONDS)
        now = _current(state)
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > _HANGS_SECONDS:
            process.kill()
            process.wait()
            return f"hung for {_HANGS_SECONDS} s"
    return f"ended with {process.returncode}"


def _current(state: Path) -> bytes:
    path = state / CURRENT
    content = path.read_bytes() if path.exists() else b""
    return content[8 : 8 + int.from_bytes(content[:8], "little")][:8192]


def _say(reader: str, result: dict[str, Any]) -> None:
    sys.stderr.write(
        f"{reader}: {result['inputs']:,} inputs in {result['seconds']:.0f} s, {result['outcomes']} outcomes, "
        f"slowest {result.get('slowest_seconds', 0):.2f} s, {len(result['problems'])} problems\n"
    )
    for problem in result["problems"]:
        sys.stderr.write(f"  {problem['problem']}\n    {problem['input'][:400]}\n")
    sys.stderr.flush()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.fuzzing", description=__doc__)
    parser.add_argument("--output", type=output_file, help="report to write")
    parser.add_argument("--inputs", type=int, default=100_000, help="inputs of each reader (default 100,000)")
    parser.add_argument("--reader", nargs="+", help="these readers alone")
    parser.add_argument("--seed", default="0", help="seed of the inputs (default 0)")
    parser.add_argument("--processes", type=int, default=1, help="readers that are fuzzed at a time (default 1)")
    parser.add_argument("--no-atheris", action="store_true", help="make inputs by mutations though atheris is there")
    parser.add_argument("--continue", dest="go_on", action="store_true", help="go on with the report that is there")
    parser.add_argument("--keep", action="store_true", help="add the inputs that led to something new to the corpus")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
