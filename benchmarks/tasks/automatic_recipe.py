"""What recipe `auto` makes of the embedded checkpoint, for several limits of the increase of perplexity.

`python -m benchmarks.tasks.automatic_recipe --output FILE`
"""

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.processes import CHECKOUT
from benchmarks.results_file import output_file, stamp, write_results
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.auto.automatic import quantize_automatically
from biogpt_onnx.quantize.evaluate.quality_gate import run_quality_gate
from biogpt_onnx.runtime.bundle import Manifest, read_manifest

LIMITS = (0.005, 0.001)
"""Allowed increases of perplexity, as shares."""


def main() -> None:
    """Makes a bundle for each limit, evaluates it on the built-in text and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    parser.add_argument("--mini", type=Path, default=CHECKOUT / "checkpoints" / "mini", help="the embedded checkpoint")
    options = parser.parse_args()
    results: dict[str, Any] = {**stamp(), "limits": []}
    with tempfile.TemporaryDirectory() as folder:
        baseline = Path(folder) / "fp32"
        export_bundle(open_checkpoint(str(options.mini)), baseline)
        for limit in LIMITS:
            target = Path(folder) / f"auto-{limit}"
            quantize_automatically(baseline, target, max_perplexity_increase=limit)
            evaluation = run_quality_gate(target, baseline, limit)
            found = described(read_manifest(target), limit) | {
                "perplexity_increase": json.loads(evaluation.to_json())["perplexity_increase"]
            }
            results["limits"].append(found)
            print(json.dumps(found), flush=True)
            write_results(options.output, results)


def described(manifest: Manifest, limit: float) -> dict[str, Any]:
    """Returns the limit, the number of linear layers of each precision, the table's precision and the bundle's size."""
    precisions = manifest.layer_precisions or {}
    layers = {name: precision for name, precision in precisions.items() if name.startswith("layers.")}
    return {
        "max_perplexity_increase": limit,
        "layers": dict(Counter(layers.values())),
        "table": precisions["embed_tokens"],
        "bundle_bytes": manifest.num_bytes,
    }


if __name__ == "__main__":
    main()
