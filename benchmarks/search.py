"""Beams, rules, drafts and shared prompts at BioGPT's full size: `python benchmarks/search.py --output FILE`.

Everything is measured in one run, in turns, as ratios. Linux only.
"""

import argparse
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

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


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--mini", type=Path, default=ROOT / "checkpoints" / "mini", help="the embedded checkpoint")
    parser.add_argument("--data", type=Path, help="the published vocabulary and texts; see copying.py")
    options = parser.parse_args()
    results: dict[str, object] = {"started": datetime.now(UTC).isoformat(timespec="seconds"), "machine": describe()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = write_safetensors(open_checkpoint(PRESET), folder / "checkpoint", "float32")
        bundle = folder / "bundle"
        peak_of_export(str(source), bundle)
        export_bundle(open_checkpoint(options.mini), folder / "mini")
        found = beams.measure(bundle, source, THREADS)
        _keep(options.output, results, "beams", found)
        _keep(options.output, results, "long_beams", beams.measure_long(folder / "mini", 8, 1000))
        step = json.loads(json.dumps(found))["step_seconds"]["greedy"]
        _keep(options.output, results, "controls", controls.measure(step))
        _keep(options.output, results, "sharing", sharing.measure(bundle))
        _keep(options.output, results, "drafts", copying.measure(bundle, folder, options.data))


def _keep(output: Path, results: dict[str, object], name: str, found: object) -> None:
    """Written after each section: what is measured is not lost when a later one fails."""
    results[name] = found
    print(name, json.dumps(_without_samples(found), indent=2), flush=True)
    output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def _without_samples(section: object) -> object:
    if not isinstance(section, dict):
        return section
    return {name: _without_samples(value) for name, value in section.items() if name != "samples"}


if __name__ == "__main__":
    main()
