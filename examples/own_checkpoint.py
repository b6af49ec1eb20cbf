"""Exports a checkpoint, makes it smaller, and measures on one's own text what that costs.

    python examples/own_checkpoint.py checkpoints/mini bundles/own
    python examples/own_checkpoint.py FOLDER bundles/own --recipe int4 --text abstracts.txt

Writes the bundles `fp32` and one named after the recipe into a folder. Prints a table that compares the two on the
text: perplexity, how far the distributions of the next token are apart, and how many answers are the same, each with
its 95 % interval. The last line says whether perplexity grew by no more than the recipe may cost; the exit code is 1
where it grew by more, and 2 where something cannot be read or written.
"""

import argparse
import sys
from pathlib import Path

import biogpt_onnx
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.evaluate.evaluation import evaluate
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES

INVENTED = Path(__file__).parent / "abstracts.txt"


def main() -> int:
    """Reads the command line, makes the bundles and compares them; returns the exit code."""
    parser = argparse.ArgumentParser(description="Exports and quantizes a checkpoint, and measures what that costs.")
    parser.add_argument("checkpoint", help="a folder with a checkpoint of Hugging Face or fairseq")
    parser.add_argument("bundles", type=Path, help="the folder to write the bundles into")
    parser.add_argument("--recipe", choices=RECIPES, default="int8", help="how to make it smaller (default int8)")
    parser.add_argument("--text", type=Path, default=INVENTED, help="text to compare on, a document a line")
    options = parser.parse_args()

    recipe = RECIPES[options.recipe]
    exported, smaller = options.bundles / "fp32", options.bundles / recipe.name
    try:
        export_bundle(open_checkpoint(options.checkpoint), exported)
        quantize_bundle(exported, smaller, recipe)
        documents = options.text.read_text(encoding="utf-8").splitlines()
        evaluation = evaluate(smaller, exported, documents, prompts=4)
    except (biogpt_onnx.BioGptError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(evaluation.table(recipe.max_perplexity_increase))
    return 0 if evaluation.passed(recipe.max_perplexity_increase) else 1


if __name__ == "__main__":
    sys.exit(main())
