"""Beams, processors, choices and drafts at BioGPT's full size: `python -m benchmarks.micro.search --output FILE`.

Everything is measured in one run, in turns, as ratios. Linux only.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.full_size import PRESET, THREADS
from benchmarks.micro.search import beams, choices, drafts, processors
from benchmarks.model_files import export_in_process, write_safetensors
from benchmarks.processes import CHECKOUT
from benchmarks.results_file import output_file, stamp, summarized, write_results
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle

SECTIONS = ["beams", "long_beams", "controls", "sharing", "drafts"]
"""Names of the file's sections: "controls" holds the logits processors, "sharing" the choices."""

_LONG_BEAMS, _LONG_TOKENS = 8, 1000


def main() -> None:
    """Measures and writes the results."""
    options = _options()
    results: dict[str, Any] = {}
    if options.output.exists() and options.sections != SECTIONS:
        results = json.loads(options.output.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = write_safetensors(open_checkpoint(PRESET), folder / "checkpoint", "float32")
        bundle = folder / "bundle"
        export_in_process(str(source), bundle)
        export_bundle(open_checkpoint(options.mini), folder / "mini")
        measures: dict[str, Callable[[], Mapping[str, object]]] = {
            "beams": lambda: beams.measure(bundle, source, THREADS),
            "long_beams": lambda: beams.measure_long(folder / "mini", _LONG_BEAMS, _LONG_TOKENS),
            "controls": lambda: processors.measure(results["beams"]["step_seconds"]["greedy"]),
            "sharing": lambda: choices.measure(bundle),
            "drafts": lambda: drafts.measure(bundle, folder, options.data, options.documents),
        }
        for section in options.sections:
            # Each section says when and on what it was made, as one may be measured again without the others.
            results[section] = {**stamp(), **measures[section]()}
            print(section, summarized(results[section]), flush=True)
            # Written at once: what is measured is not lost when a later section fails.
            write_results(options.output, results)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    parser.add_argument("--mini", type=Path, default=CHECKOUT / "checkpoints" / "mini", help="the embedded checkpoint")
    parser.add_argument(
        "--data",
        type=Path,
        help="a folder with biogpt, bc5cdr/train.json and pubmedqa/train.tsv; without it drafts are measured on random "
        "text alone",
    )
    parser.add_argument(
        "--documents",
        type=int,
        default=drafts.DOCUMENTS,
        help=f"of each kind of text that drafts are measured on (default {drafts.DOCUMENTS})",
    )
    parser.add_argument(
        "--sections", nargs="+", choices=SECTIONS, default=SECTIONS, help="what to measure; the rest of the file stays"
    )
    options = parser.parse_args()
    if options.documents < 1:
        parser.error(f"--documents is {options.documents}: give 1 or more")
    return options


if __name__ == "__main__":
    main()
