"""The float32 runtime against its floor, against transformers, and what an export and a cold start take.

Everything is measured in one run, in turns, as ratios: `python benchmarks/fp32.py --output FILE`. Linux only.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import cold_start
import decoding
import export_memory
import install
import tokenizing
from machine import describe

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--mini", type=Path, default=ROOT / "checkpoints" / "mini", help="the embedded checkpoint")
    parser.add_argument("--skip-large", action="store_true", help="leave out BioGPT-Large, which needs 12 GB of disk")
    parser.add_argument("--data", type=Path, help="the published vocabulary and texts; see tokenizing.py")
    options = parser.parse_args()
    presets = ["preset:biogpt"] if options.skip_large else ["preset:biogpt", "preset:biogpt-large"]
    sections: dict[str, Callable[[Path], Mapping[str, object]]] = {
        "decoding": decoding.measure,
        "export": lambda folder: export_memory.measure(folder, presets),
        "cold_start": lambda folder: cold_start.measure(folder, options.mini),
        "tokenizer": lambda folder: tokenizing.measure(folder, options.data),
        "install": lambda _: install.measure(ROOT),
    }
    results: dict[str, object] = {"started": datetime.now(UTC).isoformat(timespec="seconds"), "machine": describe()}
    for name, section in sections.items():
        with tempfile.TemporaryDirectory() as folder:
            results[name] = section(Path(folder))
        print(name, json.dumps(_without_samples(results[name]), indent=2), flush=True)
        # Written after each section: what is measured is not lost when a later one fails.
        options.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def _without_samples(section: object) -> object:
    return {key: value for key, value in section.items() if key != "samples"} if isinstance(section, dict) else section


if __name__ == "__main__":
    main()
