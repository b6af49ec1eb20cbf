"""What a second process of the same full-size bundle costs: `python benchmarks/shared_weights.py --output FILE`.

Two processes load each recipe's bundle one after the other, each with weights rearranged in its own memory, then with
weights that they share. Linux only: memory is what `/proc/PID/smaps_rollup` says.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.bundle import read_manifest
from decoding import PRESET, THREADS, after_a_pause
from loaded_process import PROMPT_TOKENS, STEPS, LoadedProcess
from machine import describe

ROUNDS = 3
_BASELINE = "fp32"
_DEFAULT = ("fp32", "int8", "int8-weights", "int4")


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--recipes", nargs="+", choices=[_BASELINE, *RECIPES], default=list(_DEFAULT))
    parser.add_argument("--bundles", type=Path, help="a folder with a bundle of each recipe's name, made before")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"pairs of processes (default {ROUNDS})")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}: give 1 or more")
    options.output.touch()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundles = _bundles(options.bundles or folder, options.recipes, make=options.bundles is None)
        results = {
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": describe(),
            "model": PRESET,
            "threads": THREADS,
            "prompt_tokens": PROMPT_TOKENS,
            "steps": STEPS,
            "rounds": options.rounds,
            "recipes": {
                recipe: _measure(path, folder / "cache" / recipe, options.rounds) for recipe, path in bundles.items()
            },
        }
        options.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def _bundles(folder: Path, recipes: Sequence[str], *, make: bool) -> dict[str, Path]:
    bundles = {recipe: folder / recipe for recipe in recipes}
    if make:
        export_bundle(open_checkpoint(PRESET), folder / _BASELINE)
        for recipe, path in bundles.items():
            if recipe != _BASELINE:
                quantize_bundle(folder / _BASELINE, path, RECIPES[recipe])
    return bundles


def _measure(bundle: Path, cache: Path, rounds: int) -> dict[str, object]:
    # Whatever a first process has to read from the disk, or to write to it, is not what a second one costs.
    with LoadedProcess(bundle, THREADS) as process:
        process.compute()
    with LoadedProcess(bundle, THREADS, cache) as process:
        making = process.load_seconds
        process.compute()
    samples: dict[str, list[dict[str, Any]]] = {"own": [], "shared": []}
    for _ in range(rounds):
        for name, rows in samples.items():
            rows.append(after_a_pause(_pair, bundle, cache if name == "shared" else None))
    found = {name: _summary(rows) for name, rows in samples.items()}
    return {
        "bundle_bytes": read_manifest(bundle).num_bytes,
        "cache_bytes": sum(path.stat().st_size for path in cache.rglob("*") if path.is_file()),
        "making_seconds": making,
        **found,
        "samples": samples,
    }


def _pair(bundle: Path, cache: Path | None) -> dict[str, Any]:
    """Two processes: what the first takes alone, and both together, when loaded and when they have computed."""
    with LoadedProcess(bundle, THREADS, cache) as first:
        row: dict[str, Any] = {"first_load_seconds": first.load_seconds, "loaded": {"alone": first.memory()}}
        first.compute()
        row["computed"] = {"alone": first.memory()}
        with LoadedProcess(bundle, THREADS, cache) as second:
            row["second_load_seconds"] = second.load_seconds
            row["loaded"] |= {"first": first.memory(), "second": second.memory()}
            second.compute()
            row["computed"] |= {"first": first.memory(), "second": second.memory()}
    return row


def _summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "load_seconds": statistics.median(row[f"{which}_load_seconds"] for row in rows for which in ("first", "second"))
    }
    for stage in ("loaded", "computed"):
        costs = [_cost(row[stage], row["computed"]["alone"]) for row in rows]
        summary[stage] = {name: statistics.median(cost[name] for cost in costs) for name in costs[0]}
    return summary


def _cost(memory: Mapping[str, Mapping[str, int]], before: Mapping[str, int]) -> dict[str, float]:
    """What the second process costs beside the first, alone at the same stage.

    Args:
        memory: of the stage.
        before: of the first process when the second was started. It has computed by then.
    """
    alone, first, second = (memory[which] for which in ("alone", "first", "second"))
    growth = first["proportional_bytes"] + second["proportional_bytes"] - before["proportional_bytes"]
    return {
        **{f"first_{name}": size for name, size in alone.items()},
        **{f"second_{name}": size for name, size in second.items()},
        "growth_bytes": growth,
        "second_private_to_first": second["private_bytes"] / alone["resident_bytes"],
        "growth_to_first": growth / alone["proportional_bytes"],
    }


if __name__ == "__main__":
    main()
