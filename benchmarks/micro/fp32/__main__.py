"""The float32 runtime beside its floor and transformers: `python -m benchmarks.micro.fp32 --output FILE`.

Also measures what an export and a cold start take. Everything is measured in one run, in turns, as ratios. Linux only.
"""

import argparse
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.full_size import PRESET
from benchmarks.micro.fp32 import cold_start, decoding, export_memory, installed_packages, tokenizer
from benchmarks.processes import CHECKOUT
from benchmarks.results_file import output_file, stamp, summarized, write_results


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    parser.add_argument("--mini", type=Path, default=CHECKOUT / "checkpoints" / "mini", help="the embedded checkpoint")
    parser.add_argument("--skip-large", action="store_true", help="leave out BioGPT-Large, which needs 12 GB of disk")
    parser.add_argument(
        "--data", type=Path, help="a folder with biogpt/dict.txt, biogpt/bpecodes and pubmedqa/train.tsv"
    )
    options = parser.parse_args()
    presets = [PRESET] if options.skip_large else [PRESET, "preset:biogpt-large"]
    sections: dict[str, Callable[[Path], Mapping[str, object]]] = {
        "decoding": decoding.measure,
        "export": lambda folder: export_memory.measure(folder, presets),
        "cold_start": lambda folder: cold_start.measure(folder, options.mini),
        "tokenizer": lambda folder: tokenizer.measure(folder, options.data),
        "install": lambda _: installed_packages.measure(CHECKOUT),
    }
    results: dict[str, object] = stamp()
    for name, section in sections.items():
        with tempfile.TemporaryDirectory() as folder:
            results[name] = section(Path(folder))
        print(name, summarized(results[name]), flush=True)
        # Written after each section: what is measured is not lost when a later one fails.
        write_results(options.output, results)


if __name__ == "__main__":
    main()
