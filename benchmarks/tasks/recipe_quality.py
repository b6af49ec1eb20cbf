"""What each recipe costs in quality, on the embedded checkpoint and on its twins with outliers.

`python benchmarks/quality.py --data FOLDER --output FILE`; the folder holds `bc5cdr/valid.json`, of which the last 100
documents are used, on which the checkpoint was not trained.
"""

import argparse
import importlib
import json
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.evaluation import evaluate
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import INTEGER_RECIPES, RECIPES
from machine import describe

ROOT = Path(__file__).parents[1]
DOCUMENTS = 100
# Factor and channels of each twin; no factor is the checkpoint as it is.
TWINS = {"plain": None, "outliers x30, 4 channels": (30, 4), "outliers x100, 6 channels": (100, 6)}
_PROMPTS = 8


def main() -> None:
    """Evaluates every recipe on every twin and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--data", type=Path, required=True, help="the folder with the texts")
    parser.add_argument("--mini", type=Path, default=ROOT / "checkpoints" / "mini", help="the embedded checkpoint")
    options = parser.parse_args()
    texts = _texts(options.data)
    results: dict[str, Any] = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": describe(),
        "documents": len(texts),
        "twins": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        for twin, baseline in _baselines(options.mini, Path(folder)):
            found = results["twins"][twin] = {}
            for name in INTEGER_RECIPES:
                bundle = baseline.with_name(f"{baseline.name}-{name}")
                quantize_bundle(baseline, bundle, RECIPES[name])
                report = json.loads(evaluate(bundle, baseline, texts, prompts=_PROMPTS).to_json())
                found[name] = {key: value for key, value in report.items() if key != "documents"}
                print(twin, name, json.dumps(report["perplexity_increase"]), flush=True)
                options.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def _baselines(mini: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    # The injector belongs to the tests.
    sys.path.insert(0, str(ROOT / "tests"))
    outliers: Any = importlib.import_module("makers.outliers")
    for number, (twin, settings) in enumerate(TWINS.items()):
        checkpoint = mini
        if settings is not None:
            factor, channels = settings
            checkpoint = outliers.write_outlier_checkpoint(mini, folder / f"checkpoint-{number}", factor, channels)
        bundle = folder / f"bundle-{number}"
        export_bundle(open_checkpoint(str(checkpoint)), bundle)
        yield twin, bundle


def _texts(data: Path) -> list[str]:
    documents = json.loads((data / "bc5cdr" / "valid.json").read_text(encoding="utf-8")).values()
    return [f"{document['title']} {document['abstract']}" for document in list(documents)[-DOCUMENTS:]]


if __name__ == "__main__":
    main()
