"""Memory, time and disk that making a bundle smaller takes: `python -m benchmarks.micro.quantizing --output FILE`.

Exports random weights of BioGPT's and BioGPT-Large's size, and runs the command `quantize` on each in a process of its
own, with the comparison and without, whose memory is read every two milliseconds. Linux only.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.full_size import PRESET
from benchmarks.processes import checkout_environment, run_to_end
from benchmarks.results_file import output_file, stamp, summarized, write_results
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.bundle import read_manifest

PRESETS = (PRESET, "preset:biogpt-large")
MEASURED = ("int8", "int4")

# Random weights predict nothing, so that no increase of their perplexity may count as a failure.
_ANY_INCREASE = "1e9"


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    parser.add_argument("--sources", nargs="+", default=[*PRESETS], help="checkpoints to measure with (default both)")
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=[*MEASURED], help="recipes (default both)")
    parser.add_argument("--folder", type=Path, help="where to write bundles (default temporary)")
    options = parser.parse_args()
    results: dict[str, object] = stamp()
    for source in options.sources:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            bundle = Path(folder) / "fp32"
            export_bundle(open_checkpoint(source), bundle)
            recipes: dict[str, Mapping[str, object]] = {}
            results[source] = {"fp32_bytes": read_manifest(bundle).num_bytes, "recipes": recipes}
            for recipe in options.recipes:
                recipes[recipe] = measure(bundle, recipe)
                print(source, recipe, summarized(recipes[recipe]), flush=True)
                # Written after each: what is measured is not lost when a later one fails.
                write_results(options.output, results)


def measure(bundle: Path, recipe: str) -> Mapping[str, object]:
    """Makes a bundle smaller, without the comparison and with it.

    Args:
        bundle: the float32 bundle; the smaller one is written beside it, and removed.
        recipe: name of the recipe.

    Returns:
        For each way seconds, seconds of the processors, and peaks of memory; and the smaller bundle's size.
    """
    target = bundle.with_name(recipe)
    command = [sys.executable, "-m", "biogpt_onnx", "quantize", str(bundle), "-o", str(target), "--recipe", recipe]
    ways = {"alone": ["--no-evaluation"], "compared": ["--max-perplexity-increase", _ANY_INCREASE]}
    found: dict[str, object] = {}
    for way, arguments in ways.items():
        ended = run_to_end([*command, *arguments], checkout_environment(), watch_memory=True)
        found[way] = ended._asdict()
        found["bundle_bytes"] = read_manifest(target).num_bytes
        shutil.rmtree(target)
    return found


if __name__ == "__main__":
    main()
