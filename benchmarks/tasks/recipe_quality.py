"""Quality of each recipe on the embedded checkpoint and on its twins with outliers.

`python -m benchmarks.tasks.recipe_quality --data FOLDER --output FILE`; the folder holds `bc5cdr/valid.json`, of which
the last 100 documents are used, on which the checkpoint was not trained.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.model_files import BLOCK_VARIANTS
from benchmarks.outlier_twins import write_outlier_twin
from benchmarks.processes import CHECKOUT
from benchmarks.results_file import output_file, stamp, write_results
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.evaluate.evaluation import evaluate
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import GPTQ, INTEGER_RECIPES, RECIPES

DOCUMENTS = 100
# Factor and channels of each twin; no factor is the checkpoint as it is.
TWINS = {"plain": None, "outliers x30, 4 channels": (30, 4), "outliers x100, 6 channels": (100, 6)}
_PROMPTS = 8
_BY_GPTQ = {name: RECIPES[name] for name in ("int4", "int8-int4")} | BLOCK_VARIANTS
_RECIPES = {
    **{name: RECIPES[name] for name in INTEGER_RECIPES},
    **BLOCK_VARIANTS,
    **{f"{name}, by GPTQ": replace(recipe, rounding=GPTQ) for name, recipe in _BY_GPTQ.items()},
}


def main() -> None:
    """Evaluates every recipe on every twin and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    parser.add_argument("--data", type=Path, required=True, help="the folder with the texts")
    parser.add_argument("--mini", type=Path, default=CHECKOUT / "checkpoints" / "mini", help="the embedded checkpoint")
    options = parser.parse_args()
    texts = texts_of(options.data)
    results: dict[str, Any] = {**stamp(), "documents": len(texts), "twins": {}}
    with tempfile.TemporaryDirectory() as folder:
        for twin, baseline in baselines(options.mini, Path(folder)):
            found = results["twins"][twin] = {}
            for number, (name, recipe) in enumerate(_RECIPES.items()):
                bundle = baseline.with_name(f"{baseline.name}-{number}")
                quantize_bundle(baseline, bundle, recipe)
                report = json.loads(evaluate(bundle, baseline, texts, prompts=_PROMPTS).to_json())
                found[name] = {key: value for key, value in report.items() if key != "documents"}
                print(twin, name, json.dumps(report["perplexity_increase"]), flush=True)
                write_results(options.output, results)


def baselines(mini: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yields each twin's name with its float32 bundle."""
    for number, (twin, settings) in enumerate(TWINS.items()):
        checkpoint = mini
        if settings is not None:
            factor, channels = settings
            checkpoint = write_outlier_twin(mini, folder / f"checkpoint-{number}", factor, channels)
        bundle = folder / f"bundle-{number}"
        export_bundle(open_checkpoint(str(checkpoint)), bundle)
        yield twin, bundle


def texts_of(data: Path) -> list[str]:
    """Returns the documents of a folder of texts on which the embedded checkpoint was not trained."""
    documents = json.loads((data / "bc5cdr" / "valid.json").read_text(encoding="utf-8")).values()
    return [f"{document['title']} {document['abstract']}" for document in list(documents)[-DOCUMENTS:]]


if __name__ == "__main__":
    main()
