"""A program that writes every bundle of the embedded checkpoint, and what they answer, into a folder.

It runs on this machine and in the emulator, and the two folders are compared. One process does it all, because a start
takes long in the emulator.
"""

import argparse
import dataclasses
import json
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import biogpt_onnx
from biogpt_onnx import BioGPT, Generation
from biogpt_onnx.bench.advice.processor import instruction_sets, kernel_family
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.data.texts import evaluation_texts
from biogpt_onnx.quantize.evaluate.evaluation import evaluate
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES

FLOAT32 = "fp32"
QUANTIZED_CACHE = "int8-cache"
ANSWERING = (FLOAT32, "int8", "int8-weights", "int4")
"""Bundles that are asked; of the others only the files are compared."""

FILE = "answers.json"

TEXT = (
    "The patient was given lithium and had a tremor. The tremor ceased after lithium was withdrawn. A second patient "
    "was given lithium and valproate, and had a tremor, nausea and a rash, which did not improve until both were "
    "withdrawn."
)
_PROMPTS = ("Five patients who took amiodarone developed", "Lithium", TEXT, f"{TEXT} Valproate was", f"{TEXT} {TEXT}")
_LONG = [2, *np.random.default_rng(0).integers(10, 6000, 299).tolist()]


def main() -> None:
    """Writes the bundles and the answers."""
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    write_bundles(arguments.checkpoint, folder)
    found = {
        "machine": platform.machine(),
        "kernels": kernel_family(instruction_sets()),
        "bundles": {name: _answers(folder, name) for name in ANSWERING},
    }
    (folder / FILE).write_text(json.dumps(found), encoding="utf-8")


def write_bundles(checkpoint: Path, folder: Path) -> None:
    """Writes a bundle by each recipe, and one with a quantized cache."""
    baseline = folder / FLOAT32
    export_bundle(open_checkpoint(checkpoint), baseline)
    for name, recipe in RECIPES.items():
        quantize_bundle(baseline, folder / name, recipe)
    quantize_bundle(baseline, folder / QUANTIZED_CACHE, dataclasses.replace(RECIPES["int8"], cache="int8"))


def _answers(folder: Path, name: str) -> dict[str, Any]:
    with biogpt_onnx.load(folder / name, device="cpu", threads=1) as model:
        np.save(folder / f"{name}.npy", model.logits(_LONG))
        found = {
            "tokens": [list(answer.token_ids) for answer in model.generate(list(_PROMPTS), max_new_tokens=8)],
            "apart": [what for what, differs in _differences(model) if differs],
        }
    if name != FLOAT32:
        measured = evaluate(folder / name, folder / FLOAT32, evaluation_texts(), device="cpu", threads=1, prompts=0)
        found["perplexity_increase"] = measured.perplexity_increase.value
        found["passed"] = measured.passed(RECIPES[name].max_perplexity_increase)
    return found


def _differences(model: BioGPT) -> Iterator[tuple[str, bool]]:
    """Yields each way to compute something together with others, and True if the result is another than alone."""
    for name, settings in _SEARCHES.items():
        alone = [_found(model.generate(prompt, **settings)) for prompt in _PROMPTS]
        together = model.generate(list(_PROMPTS), **settings)
        yield f"rows: {name}", [_found(answer) for answer in together] != alone
    prefix = model.prefix(TEXT)
    behind = f"{TEXT} Valproate was"
    for name, settings in _SEARCHES.items():
        whole = _found(model.generate(behind, **settings))
        yield f"prefix: {name}", _found(model.generate(behind, prefix=prefix, **settings)) != whole
    plain = model.generate(TEXT, max_new_tokens=10)
    drafted = model.generate(TEXT, max_new_tokens=10, prompt_lookup_num_tokens=3)
    yield "drafts", _found(drafted) != _found(plain)
    for name, call in _PASSES.items():
        yield name, call(model)


_SEARCHES: dict[str, dict[str, Any]] = {
    "greedy": {"max_new_tokens": 5},
    "beams": {"max_new_tokens": 4, "num_beams": 3, "num_return_sequences": 3},
}


def _pieces(model: BioGPT) -> bool:
    ids = tuple(_LONG)
    backend = model._backend
    return any(
        list(backend.score_tokens(ids[:length], model.prefix(ids[:shared]), _LONG[:9]))
        != list(backend.score_tokens(ids[:length], None, _LONG[:9]))
        for length, shared in ((64, 1), (129, 128), (130, 5), (257, 200))
    )


def _choices(model: BioGPT) -> bool:
    options = ["yes", "no", "maybe not", "it is not known"]
    together = model.choose([TEXT, _PROMPTS[0]], options)
    return [each.choices for each in together] != [model.choose(text, options).choices for text in (TEXT, _PROMPTS[0])]


_PASSES: dict[str, Callable[[BioGPT], bool]] = {"scores behind prefixes": _pieces, "choices": _choices}


def _found(answer: Generation) -> object:
    return answer.sequences


if __name__ == "__main__":
    main()
