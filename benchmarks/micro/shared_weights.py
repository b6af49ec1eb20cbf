"""Cost of a second process of one full-size bundle: `python -m benchmarks.micro.shared_weights --output FILE`.

Two processes load each recipe's bundle one after the other, each with weights rearranged in its own memory, then with
weights that they share. Linux only: memory is read from `/proc/PID/smaps_rollup`.
"""

import statistics
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from benchmarks.full_size import PRESET, THREADS
from benchmarks.micro.loaded_bundle import PROMPT_TOKENS, STEPS
from benchmarks.micro.worker import after_a_pause
from benchmarks.model_files import chosen_bundles
from benchmarks.processes import memory_of, started
from benchmarks.recipe_runs import recipe_options
from benchmarks.results_file import stamp, write_results
from biogpt_onnx.bench.measuring.process import PinnedProcess
from biogpt_onnx.runtime.bundle import read_manifest

ROUNDS = 3
_COMPUTE: Mapping[str, object] = {"compute": {}}


def main() -> None:
    """Measures and writes the results."""
    options = recipe_options(__doc__, ROUNDS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundles = chosen_bundles(options, folder)
        results = {
            **stamp(),
            "model": PRESET,
            "threads": THREADS,
            "prompt_tokens": PROMPT_TOKENS,
            "steps": STEPS,
            "rounds": options.rounds,
            "recipes": {
                recipe: _measure(path, folder / "cache" / recipe, options.rounds) for recipe, path in bundles.items()
            },
        }
        write_results(options.output, results)


def _loaded(bundle: Path, cache: Path | None = None) -> AbstractContextManager[PinnedProcess]:
    """Starts a process that has loaded the bundle; with a cache folder it shares its weights."""
    arguments = (bundle, THREADS) if cache is None else (bundle, THREADS, cache)
    return started("micro.loaded_bundle", *arguments, threads=THREADS)


def _measure(bundle: Path, cache: Path, rounds: int) -> dict[str, object]:
    # Whatever a first process has to read from the disk, or to write to it, is not what a second one costs.
    with _loaded(bundle) as process:
        process.ask(_COMPUTE)
    with _loaded(bundle, cache) as process:
        making = process.hello["load_seconds"]
        process.ask(_COMPUTE)
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
    """Measures two processes: the first alone, then both together, when loaded and when they have computed."""
    with _loaded(bundle, cache) as first:
        row: dict[str, Any] = {
            "first_load_seconds": first.hello["load_seconds"],
            "loaded": {"alone": memory_of(first)},
        }
        first.ask(_COMPUTE)
        row["computed"] = {"alone": memory_of(first)}
        with _loaded(bundle, cache) as second:
            row["second_load_seconds"] = second.hello["load_seconds"]
            row["loaded"] |= {"first": memory_of(first), "second": memory_of(second)}
            second.ask(_COMPUTE)
            row["computed"] |= {"first": memory_of(first), "second": memory_of(second)}
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
    """Computes what the second process costs beside the first, alone at the same stage.

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
