"""Samples several continuations of each of two hundred prompts, and writes them as JSON lines.

    python examples/samples.py bundles/mini > samples.jsonl
    python examples/samples.py bundles/mini prompts.txt > samples.jsonl

The prompts are one a line in a file; without one, two hundred are made of a few words. They are continued in batches
of a bounded size, whatever their number. A prompt that cannot be continued, because it is too long for instance, has an
error in its line, and the others get their samples. The seed makes a second run write the same.
"""

import argparse
import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import biogpt_onnx

DRUGS = [
    "aspirin",
    "cisplatin",
    "cocaine",
    "haloperidol",
    "heparin",
    "insulin",
    "lithium",
    "morphine",
    "warfarin",
    "zinc",
]
FORMS = ["The patient was given {}", "The effect of {} on", "Toxicity of {} was", "Treatment with {}"]
WHOM = ["in rats,", "in children,", "in two cases,", "in adults,", "at high doses,"]


def main() -> None:
    """Reads the command line and prints the samples of each prompt."""
    parser = argparse.ArgumentParser(description="Samples continuations of many prompts.")
    parser.add_argument("bundle", help="a folder that `biogpt-onnx export` wrote")
    parser.add_argument("prompts", nargs="?", type=Path, help="a file with a prompt a line")
    parser.add_argument("--samples", type=int, default=4, help="of each prompt")
    parser.add_argument("--max-new-tokens", type=int, default=16)
    options = parser.parse_args()

    model = biogpt_onnx.load(options.bundle)
    prompts = list(made() if options.prompts is None else read(options.prompts))
    answers = model.generate(
        prompts,
        do_sample=True,
        top_p=0.9,
        seed=1,
        num_return_sequences=options.samples,
        max_new_tokens=options.max_new_tokens,
        on_error="return",
        progress=True,
    )
    for prompt, answer in zip(prompts, answers, strict=True):
        if isinstance(answer, biogpt_onnx.BioGptError):
            record: dict[str, object] = {"prompt": prompt, "error": str(answer)}
        else:
            record = {"prompt": prompt, "samples": [sequence.text for sequence in answer.sequences]}
        print(json.dumps(record, ensure_ascii=False))


def made() -> Iterator[str]:
    """Yields two hundred prompts."""
    for form, drug, whom in product(FORMS, DRUGS, WHOM):
        yield f"{whom.capitalize()} {form[0].lower()}{form[1:].format(drug)}"


def read(path: Path) -> Iterator[str]:
    """Yields the prompts of a file, without its empty lines."""
    with path.open(encoding="utf-8") as lines:
        yield from (line.rstrip("\n") for line in lines if line.strip())


if __name__ == "__main__":
    main()
