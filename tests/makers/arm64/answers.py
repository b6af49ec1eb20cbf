"""A program that writes every bundle of a checkpoint into a folder, or what such bundles answer.

It runs on this machine and in the emulator, and the folders are compared. One process does all of either, because a
start takes long in the emulator.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import biogpt_onnx
from biogpt_onnx import BioGPT
from biogpt_onnx.bench.advice.processor import instruction_sets, kernel_family
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.data.texts import evaluation_texts
from biogpt_onnx.quantize.evaluate.evaluation import evaluate
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES

_START = time.monotonic()

FLOAT32 = "fp32"
ANSWERING = (FLOAT32, "int8", "int8-weights", "int4")
"""Bundles that are asked; of the others only the files are compared."""

FILE = "answers.json"

TEXT = (
    "The patient was given lithium and had a tremor. The tremor ceased after lithium was withdrawn. A second patient "
    "was given lithium and valproate, and had a tremor, nausea and a rash, which did not improve until both were "
    "withdrawn."
)
_PROMPTS = ("Lithium", f"{TEXT} Valproate was", f"{TEXT} {TEXT}")
_LONG = [2, *np.random.default_rng(0).integers(10, 6000, 299).tolist()]


def main() -> None:
    """Writes bundles from a checkpoint, or the answers of bundles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", choices=("write", "answer"))
    parser.add_argument("source", type=Path, help="the checkpoint, or the folder of the bundles")
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    if arguments.work == "write":
        write_bundles(arguments.source, folder)
        return
    found = {
        "machine": platform.machine(),
        "kernels": kernel_family(instruction_sets()),
        "bundles": {name: _answers(arguments.source, folder, name) for name in ANSWERING},
    }
    (folder / FILE).write_text(json.dumps(found), encoding="utf-8")


def write_bundles(checkpoint: Path, folder: Path) -> None:
    """Writes the float32 bundle and one by each recipe."""
    baseline = folder / FLOAT32
    export_bundle(open_checkpoint(checkpoint), baseline)
    for name, recipe in RECIPES.items():
        quantize_bundle(baseline, folder / name, recipe)
        _log(folder, f"{name} written")


def _answers(bundles: Path, folder: Path, name: str) -> dict[str, Any]:
    with biogpt_onnx.load(bundles / name, device="cpu", threads=1) as model:
        np.save(folder / f"{name}.npy", model.logits(_LONG))
        found = {
            "tokens": [list(answer.token_ids) for answer in model.generate(list(_PROMPTS), max_new_tokens=8)],
            "apart": [what for what, differs in _differences(model) if differs],
        }
    if name != FLOAT32:
        measured = evaluate(bundles / name, bundles / FLOAT32, evaluation_texts(), device="cpu", threads=1, prompts=0)
        found["perplexity_increase"] = measured.perplexity_increase.value
    _log(folder, f"{name} answered")
    return found


def _log(folder: Path, what: str) -> None:
    """Writes what is done, and after how many seconds, for those who wait."""
    with (folder / "progress").open("a", encoding="utf-8") as file:
        file.write(f"{time.monotonic() - _START:6.0f} s: {what}\n")


def _differences(model: BioGPT) -> Iterator[tuple[str, bool]]:
    """Yields each way to compute something together with others, and True if the result is another than alone."""
    behind = f"{TEXT} Valproate was"
    prefix = model.prefix(TEXT)
    for name, settings in _SEARCHES.items():
        alone = [model.generate(prompt, **settings).sequences for prompt in _PROMPTS]
        together = model.generate(list(_PROMPTS), **settings)
        yield f"rows: {name}", [answer.sequences for answer in together] != alone
        whole = model.generate(behind, **settings).sequences
        yield f"prefix: {name}", model.generate(behind, prefix=prefix, **settings).sequences != whole
    # How many tokens are drafted depends on the time that passes take, and the last bits of a score on that number.
    plain = [list(model.generate(prompt, max_new_tokens=10).token_ids) for prompt in _PROMPTS]
    drafted = model.generate(list(_PROMPTS), max_new_tokens=10, prompt_lookup_num_tokens=3)
    yield "drafts", [list(answer.token_ids) for answer in drafted] != plain
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


if __name__ == "__main__":
    main()
