"""Peak memory by rows and positions beside the formula: `python -m benchmarks.micro.small_memory --output FILE`.

Each case runs in a process of its own, without a limit, whose anonymous memory is read every two milliseconds. Then the
smallest cases run in control groups without swap, in which the system kills what takes more than its limit; and a limit
below what a bundle needs must be refused, not killed. Linux only; control groups need root.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.control_group import NoControlGroupError, limited_memory
from benchmarks.full_size import PRESET, THREADS
from benchmarks.micro.small_memory.case import REFUSED
from benchmarks.model_files import add_recipe_arguments, chosen_bundles
from benchmarks.processes import checkout_environment, run_to_end
from benchmarks.results_file import output_file, stamp, summarized, write_results
from biogpt_onnx.runtime.bundle import WEIGHTS_FILE, read_manifest
from biogpt_onnx.runtime.memory.formula import memory_need

_MIB = 2**20


class Case(NamedTuple):
    """What a process continues.

    Attributes:
        rows: number of prompts, which are continued together.
        prompt_tokens: tokens of each.
        new_tokens: new tokens of each.
        beams: beams of each; 1 for greedy search.
    """

    rows: int
    prompt_tokens: int
    new_tokens: int
    beams: int = 1

    @property
    def positions(self) -> int:
        """Most tokens of a row that the cache holds, the branches of a tree of beams included."""
        return self.prompt_tokens + self.beams * (self.new_tokens - 1)


CASES = (
    Case(1, 32, 16),
    Case(1, 256, 64),
    Case(1, 512, 128),
    Case(1, 960, 64),
    Case(1, 512, 128, beams=5),
    Case(4, 256, 64),
    Case(8, 256, 64),
    Case(8, 512, 32),
)

LIMITED: Mapping[str, Sequence[tuple[int, Case]]] = {
    "int4": [(512, Case(1, 256, 64))],
    "int8": [(1024, Case(1, 512, 128)), (1024, Case(1, 512, 128, beams=5))],
}
"""By recipe, limits in MiB and the cases that must be answered within them."""

TOO_SMALL = 0.6
"""Share of what a bundle needs that is too small to load it."""


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    add_recipe_arguments(parser)
    options = parser.parse_args()
    options.output.touch()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundles = chosen_bundles(options, folder)
        results: dict[str, Any] = {**stamp(), "model": PRESET, "threads": THREADS, "recipes": {}}
        for recipe, bundle in bundles.items():
            results["recipes"][recipe] = {
                "weights_bytes": read_manifest(bundle).files[WEIGHTS_FILE].size,
                "cases": [_measured(bundle, case, folder) for case in CASES],
                "cold": _cold(bundle, folder),
                "limited": _limited(bundle, LIMITED.get(recipe, ()), folder),
            }
            print(recipe, summarized(results["recipes"][recipe]), flush=True)
            write_results(options.output, results)


def _measured(bundle: Path, case: Case, folder: Path) -> dict[str, Any]:
    ended = run_to_end(_command(bundle, case, folder), checkout_environment(), watch_memory=True)
    need = memory_need(read_manifest(bundle), rows=case.rows, positions=case.positions)
    return {
        **case._asdict(),
        "peak_bytes": ended.peak_anonymous_bytes,
        "formula_bytes": need.total,
        "formula_to_peak": need.total / ended.peak_anonymous_bytes,
        "formula": asdict(need),
    }


def _cold(bundle: Path, folder: Path) -> dict[str, Any]:
    """Loads a bundle whose weights the system has just dropped from its cache of files."""
    weights = bundle / WEIGHTS_FILE
    descriptor = os.open(weights, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
    ended = run_to_end(_command(bundle, CASES[0], folder), checkout_environment())
    found = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    return {
        "loading_read_bytes": found["loading_read_bytes"],
        "loading_read_to_weights": found["loading_read_bytes"] / weights.stat().st_size,
        "seconds": ended.seconds,
    }


def _limited(bundle: Path, limits: Sequence[tuple[int, Case]], folder: Path) -> list[dict[str, Any]] | str:
    """Runs cases in control groups; returns why there are none where none can be made."""
    needed = memory_need(read_manifest(bundle)).total // _MIB
    try:
        rows = [_in_group(bundle, case, limit, folder) for limit, case in limits]
        return [*rows, _in_group(bundle, CASES[0], int(TOO_SMALL * needed), folder)]
    except NoControlGroupError as error:
        return str(error)


def _in_group(bundle: Path, case: Case, limit: int, folder: Path) -> dict[str, Any]:
    found_file = folder / "found.json"
    found_file.unlink(missing_ok=True)
    with limited_memory(limit * _MIB) as group:
        process = subprocess.run(
            group.command(_command(bundle, case, folder)),
            check=False,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **checkout_environment()},
        )
        row = {"limit_mib": limit, **case._asdict(), "kills": group.kills, "group_peak_bytes": group.peak_bytes}
    outcomes = {0: "answered", REFUSED: "refused"}
    row["outcome"] = outcomes.get(process.returncode, f"ended with {process.returncode}")
    if found_file.is_file():
        row |= json.loads(found_file.read_text(encoding="utf-8"))
    return row


def _command(bundle: Path, case: Case, folder: Path) -> list[str]:
    numbers = (case.rows, case.prompt_tokens, case.new_tokens, case.beams)
    module = "benchmarks.micro.small_memory.case"
    return [sys.executable, "-m", module, str(bundle), *map(str, numbers), str(folder / "found.json")]


if __name__ == "__main__":
    main()
