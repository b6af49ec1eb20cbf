"""Every recipe at BioGPT's full size beside float32: `python -m benchmarks.micro.quantized --output FILE`.

Measures size, loading, memory, prefill, a greedy step and a step of five beams, in turns, as ratios in one run. Linux
only.
"""

import argparse
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.full_size import PRESET, THREADS, random_prompt
from benchmarks.micro.worker import Samples, after_a_pause, worker
from benchmarks.model_files import BLOCK_VARIANTS, FLOAT32, make_recipe_bundles
from benchmarks.results_file import output_file, stamp, write_results
from biogpt_onnx.bench.measuring.machine_limits import ReadBandwidth
from biogpt_onnx.bench.roofline import ModelSize, step_bytes
from biogpt_onnx.quantize.recipes import INTEGER_RECIPES
from biogpt_onnx.runtime.bundle import WEIGHTS_FILE, read_manifest

PROMPT_TOKENS = 128
ROUNDS = 8
STEPS = 12
BEAMS = 5
_MEASURED = (*INTEGER_RECIPES, *BLOCK_VARIANTS)
_FIRST_STEPS = 2


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    parser.add_argument("--recipes", nargs="+", choices=_MEASURED, default=_MEASURED, help="which recipes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        bundles = make_recipe_bundles(Path(name), options.recipes)
        results = stamp()
        write_results(options.output, results | _measure(bundles))


def _measure(bundles: Mapping[str, Path]) -> dict[str, object]:
    prompt = random_prompt(PROMPT_TOKENS)
    bandwidth, speeds = ReadBandwidth(THREADS), []
    samples: dict[str, dict[int, list[Samples]]] = {name: {1: [], BEAMS: []} for name in bundles}
    with ExitStack() as stack:
        workers = {name: stack.enter_context(worker("prepacked", path, THREADS)) for name, path in bundles.items()}
        for number in range(ROUNDS + 1):
            speeds.append(after_a_pause(bandwidth.measure))
            for name, each in workers.items():
                for num_beams, rows in samples[name].items():
                    row = after_a_pause(each.measure_search, [prompt], STEPS, num_beams)
                    if number:  # the first round warms up
                        rows.append(row)
        loading = {name: each.loading for name, each in workers.items()}
    speed = statistics.median(speeds)
    found = {name: _summary(rows, bundles[name], speed) | loading[name] for name, rows in samples.items()}
    for values in found.values():
        for what in ("prefill_seconds", "step_seconds"):
            values[f"{what.partition('_')[0]}_to_fp32"] = values[what] / found[FLOAT32][what]
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
    # All weights but the float32 position table, of which a step reads one row. Of a bundle that reads text by other
    # weights, those of steps, without their scales.
    read = manifest.files[WEIGHTS_FILE].size - 4 * architecture.max_positions * architecture.hidden_size
    if manifest.steps is not None:
        read = step_bytes(ModelSize.of(architecture), manifest.precision) or read
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
