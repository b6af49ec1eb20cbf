"""Time from a fresh process to its first token, in parts: `python -m benchmarks.micro.start_up --output FILE`.

Processes of each recipe's bundle start in turns, with the page cache warm, each followed by one that only imports numpy
and one that only imports this package; with `--shared` also with weights that are mapped from the cache of
`share_weights`. Linux only.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.full_size import PRESET, THREADS
from benchmarks.micro.starting_process import PROMPT_TOKENS
from benchmarks.model_files import add_recipe_arguments, chosen_bundles
from benchmarks.processes import checkout_environment
from benchmarks.results_file import output_file, stamp, write_results
from biogpt_onnx.runtime.bundle import read_manifest

ROUNDS = 11
_SHARED = ", shared weights"
_IMPORTS = {"nothing": "pass", "numpy": "import numpy", "package": "import numpy, biogpt_onnx"}


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    add_recipe_arguments(parser)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"starts of each (default {ROUNDS})")
    parser.add_argument("--shared", action="store_true", help="also with share_weights=True")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}: give 1 or more")
    options.output.touch()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundles = chosen_bundles(options, folder)
        arguments = {recipe: [str(path), str(THREADS)] for recipe, path in bundles.items()}
        if options.shared:
            arguments |= {f"{recipe}{_SHARED}": [*each, str(folder / "cache")] for recipe, each in arguments.items()}
        starts, imports = _rounds(arguments, options.rounds)
        results = {
            **stamp(),
            "model": PRESET,
            "threads": THREADS,
            "prompt_tokens": PROMPT_TOKENS,
            "rounds": options.rounds,
            "imports": _imports(imports),
            "bundles": {
                name: {
                    "bundle_bytes": read_manifest(bundles[name.removesuffix(_SHARED)]).num_bytes,
                    **_medians(rows),
                    "samples": rows,
                }
                for name, rows in starts.items()
            },
        }
        write_results(options.output, results)


def _rounds(
    arguments: Mapping[str, Sequence[str]], rounds: int
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, list[float]]]:
    starts: dict[str, list[dict[str, Any]]] = {name: [] for name in arguments}
    imports: dict[str, list[float]] = {name: [] for name in _IMPORTS}
    for number in range(rounds + 1):
        for name, each in arguments.items():
            command = [sys.executable, "-m", "benchmarks.micro.starting_process", str(perf_counter()), *each]
            found = json.loads(_output(command))
            if number:  # the first of each compiles modules, fills the page cache, and makes the shared weights
                starts[name].append(found)
        for name, program in _IMPORTS.items():
            start = perf_counter()
            _output([sys.executable, "-c", program])
            if number:
                imports[name].append(perf_counter() - start)
    return starts, imports


def _output(command: Sequence[str]) -> str:
    # Compiled modules are kept, as those of an installed package are.
    variables = {"PYTHONDONTWRITEBYTECODE": "", "ORT_DISABLE_TELEMETRY": "1"}
    environment = {**os.environ, **checkout_environment(), **variables}
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout


def _imports(samples: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    medians = {name: statistics.median(seconds) for name, seconds in samples.items()}
    numpy = medians["numpy"] - medians["nothing"]
    beyond = medians["package"] - medians["numpy"]
    return {
        "interpreter_seconds": medians["nothing"],
        "numpy_seconds": numpy,
        "package_beyond_numpy_seconds": beyond,
        "package_beyond_numpy_to_numpy": beyond / numpy,
        "samples": samples,
    }


def _medians(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    def medians(field: str) -> dict[str, float]:
        return {name: statistics.median(row[field][name] for row in rows) for name in rows[0][field]}

    memory = {
        when: {name: statistics.median(row["memory"][when][name] for row in rows) for name in sizes}
        for when, sizes in rows[0]["memory"].items()
    }
    total = statistics.median(row["total"] for row in rows)
    return {"total_seconds": total, "parts": medians("parts"), "beside": medians("beside"), "memory": memory}


if __name__ == "__main__":
    main()
