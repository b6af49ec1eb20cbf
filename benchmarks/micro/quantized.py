"""Every recipe at BioGPT's full size beside float32: `python benchmarks/quantized.py --output FILE`.

Size, loading, memory, prefill, a greedy step and a step of five beams, in turns, as ratios in one run. Linux only.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from biogpt_onnx.bench.bandwidth import ReadBandwidth
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import INTEGER_RECIPES, RECIPES
from biogpt_onnx.runtime.bundle import WEIGHTS_FILE, read_manifest
from decoding import PRESET, THREADS, after_a_pause
from machine import describe
from workers import Samples, Worker

PROMPT_TOKENS = 128
ROUNDS = 8
STEPS = 12
BEAMS = 5
_FIRST_STEPS = 2
_BASELINE = "fp32"


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--recipes", nargs="+", choices=INTEGER_RECIPES, default=INTEGER_RECIPES, help="which recipes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        bundles = _bundles(Path(name), options.recipes)
        results = {"started": datetime.now(UTC).isoformat(timespec="seconds"), "machine": describe()}
        options.output.write_text(json.dumps(results | _measure(bundles), indent=1) + "\n", encoding="utf-8")


def _bundles(folder: Path, recipes: Sequence[str]) -> dict[str, Path]:
    bundles = {_BASELINE: folder / _BASELINE}
    export_bundle(open_checkpoint(PRESET), bundles[_BASELINE])
    for recipe in recipes:
        bundles[recipe] = folder / recipe
        quantize_bundle(bundles[_BASELINE], bundles[recipe], RECIPES[recipe])
    return bundles


def _measure(bundles: Mapping[str, Path]) -> dict[str, object]:
    prompt = [2, *np.random.default_rng(0).integers(4, 42_000, PROMPT_TOKENS - 1).tolist()]
    bandwidth, speeds = ReadBandwidth(THREADS), []
    samples: dict[str, dict[int, list[Samples]]] = {name: {1: [], BEAMS: []} for name in bundles}
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Worker("prepacked", path, THREADS)) for name, path in bundles.items()}
        for number in range(ROUNDS + 1):
            speeds.append(after_a_pause(bandwidth.measure))
            for name, worker in workers.items():
                for num_beams, rows in samples[name].items():
                    row = after_a_pause(worker.measure_search, [prompt], STEPS, num_beams)
                    if number:  # the first round warms up
                        rows.append(row)
        loading = {name: worker.loading for name, worker in workers.items()}
    speed = statistics.median(speeds)
    found = {name: _summary(rows, bundles[name], speed) | loading[name] for name, rows in samples.items()}
    for values in found.values():
        for what in ("prefill_seconds", "step_seconds"):
            values[f"{what.partition('_')[0]}_to_fp32"] = values[what] / found[_BASELINE][what]
    return {
        "model": PRESET,
        "threads": THREADS,
        "prompt_tokens": PROMPT_TOKENS,
        "num_beams": BEAMS,
        "rounds": ROUNDS,
        "read_bandwidth_median": speed,
        "recipes": found,
        "samples": {
            name: {str(key): [row._asdict() for row in value] for key, value in rows.items()}
            for name, rows in samples.items()
        },
    }


def _summary(rows: Mapping[int, Sequence[Samples]], bundle: Path, bandwidth: float) -> dict[str, float]:
    step, beam_step = (
        statistics.median(seconds for row in rows[num_beams] for seconds in row.steps[_FIRST_STEPS:])
        for num_beams in (1, BEAMS)
    )
    manifest = read_manifest(bundle)
    architecture = manifest.architecture
    # All weights but the float32 position table, of which a step reads one row.
    read = manifest.files[WEIGHTS_FILE].size - 4 * architecture.max_positions * architecture.hidden_size
    return {
        "bundle_bytes": manifest.num_bytes,
        "prefill_seconds": statistics.median(row.prefill for row in rows[1]),
        "step_seconds": step,
        "beam_step_seconds": beam_step,
        "beam_step_to_step": beam_step / step,
        "step_to_floor": step * bandwidth / read,
    }


if __name__ == "__main__":
    main()
