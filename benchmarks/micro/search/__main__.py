"""Beams, rules, drafts and shared prompts at BioGPT's full size: `python benchmarks/search.py --output FILE`.

Everything is measured in one run, in turns, as ratios. Linux only.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import beams
import controls
import copying
import sharing
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from decoding import PRESET, THREADS
from export_memory import peak_of_export
from machine import describe
from safetensors_source import write_safetensors

ROOT = Path(__file__).parents[1]
SECTIONS = ["beams", "long_beams", "controls", "sharing", "drafts"]


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--mini", type=Path, default=ROOT / "checkpoints" / "mini", help="the embedded checkpoint")
    parser.add_argument("--data", type=Path, help="the published vocabulary and texts; see copying.py")
    parser.add_argument(
        "--sections", nargs="+", choices=SECTIONS, default=SECTIONS, help="what to measure; the rest of the file stays"
    )
    options = parser.parse_args()
    results: dict[str, Any] = {}
    if options.output.exists() and options.sections != SECTIONS:
        results = json.loads(options.output.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = write_safetensors(open_checkpoint(PRESET), folder / "checkpoint", "float32")
        bundle = folder / "bundle"
        peak_of_export(str(source), bundle)
        export_bundle(open_checkpoint(options.mini), folder / "mini")
        measures: dict[str, Callable[[], Mapping[str, object]]] = {
            "beams": lambda: beams.measure(bundle, source, THREADS),
            "long_beams": lambda: beams.measure_long(folder / "mini", 8, 1000),
            "controls": lambda: controls.measure(results["beams"]["step_seconds"]["greedy"]),
            "sharing": lambda: sharing.measure(bundle),
            "drafts": lambda: copying.measure(bundle, folder, options.data),
        }
        for section in options.sections:
            # Each section says when and on what it was made, as one may be measured again without the others.
            started = datetime.now(UTC).isoformat(timespec="seconds")
            results[section] = {"started": started, "machine": describe(), **measures[section]()}
            print(section, json.dumps(_without_samples(results[section]), indent=2), flush=True)
            # Written at once: what is measured is not lost when a later section fails.
            options.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def _without_samples(section: object) -> object:
    if not isinstance(section, dict):
        return section
    return {name: _without_samples(value) for name, value in section.items() if name != "samples"}


if __name__ == "__main__":
    main()
