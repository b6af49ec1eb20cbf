"""Scores of the embedded checkpoint at the tasks: `python -m benchmarks.tasks.quality --data DIR --output FILE`.

Evaluates float32 and int8 on documents that it was not trained on: the last 100 of BC5CDR's validation set, and
PubMedQA's.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.processes import CHECKOUT, checkout_environment
from benchmarks.results_file import output_file, stamp, write_results
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES

HELD_OUT = 100


def main() -> None:
    """Evaluates and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    parser.add_argument("--data", type=Path, required=True, help="a folder with `bc5cdr` and `pubmedqa`")
    parser.add_argument("--mini", type=Path, default=CHECKOUT / "checkpoints" / "mini", help="the embedded checkpoint")
    options = parser.parse_args()
    relations = _gold("bc5cdr", options.data / "bc5cdr" / "valid.json", "--last", str(HELD_OUT))
    questions = _gold(
        "pubmedqa",
        options.data / "pubmedqa" / "valid.tsv",
        *("--training", str(options.data / "pubmedqa" / "train.tsv")),
    )
    made_on = stamp()
    with tempfile.TemporaryDirectory() as name:
        fp32, int8 = Path(name) / "fp32", Path(name) / "int8"
        export_bundle(open_checkpoint(options.mini), fp32)
        quantize_bundle(fp32, int8, RECIPES["int8"])
        results = {
            **made_on,
            "relations": _evaluated(fp32, int8, relations),
            "relations, entities given": _evaluated(fp32, int8, [*relations, "--given-entities"]),
            "relations, decoded freely": _evaluated(fp32, int8, [*relations, "--free"]),
            "answers": _evaluated(fp32, int8, questions),
            "answers, conclusion shown": _evaluated(fp32, int8, [*questions, "--with-conclusion"]),
        }
    write_results(options.output, results)


def _gold(task: str, path: Path, *more: str) -> list[str]:
    return ["--task", task, "--gold", str(path), *more]


def _evaluated(fp32: Path, int8: Path, arguments: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "biogpt_onnx", "evaluate-task", str(fp32), "--baseline", str(int8), "--json"]
    environment = {**os.environ, **checkout_environment()}
    done = subprocess.run([*command, *arguments], stdout=subprocess.PIPE, text=True, check=True, env=environment)
    found: dict[str, Any] = json.loads(done.stdout)
    print(found["summary"], flush=True)
    return found


if __name__ == "__main__":
    main()
