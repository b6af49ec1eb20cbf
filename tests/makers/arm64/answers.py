"""A program that writes every bundle of a checkpoint into a folder, or what such bundles answer.

It runs on this machine and in the emulator, and the folders are compared. One process does all of either, because a
start takes long in the emulator.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
from biogpt_onnx.runtime.backends.chunks import at_pace

_START = time.monotonic()

FLOAT32 = "fp32"
ALL = (FLOAT32, *RECIPES)
ANSWERING = (FLOAT32, "int8", "int8-weights", "int4")
"""Bundles whose answers are compared with those on another machine."""

SHARING = (FLOAT32, "int8", "int4", "int8-int4")
"""Bundles whose calls share passes, prefixes and pieces, as a server promises of them on ARM64."""

FILE = "answers.json"

TEXT = (
    "The patient was given lithium and had a tremor. The tremor ceased after lithium was withdrawn. A second patient "
    "was given lithium and valproate, and had a tremor, nausea and a rash, which did not improve until both were "
    "withdrawn."
)
_PROMPTS = ("Lithium", f"{TEXT} Valproate was", f"{TEXT} {TEXT}")
_LONG = [2, *np.random.default_rng(0).integers(10, 6000, 299).tolist()]
_LIKE_LENGTHS = (61, 58, 63, 60)
"""Lengths of prompts that are read in the same passes, most of which are no multiples of four."""


def main() -> None:
    """Writes bundles from a checkpoint, or the answers of bundles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", choices=("write", "answer"))
    parser.add_argument("source", type=Path, help="the checkpoint, or the folder of the bundles")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bundles", nargs="+", default=ALL, metavar="NAME", help="these alone (default: all)")
    parser.add_argument("--sharing", nargs="+", default=SHARING, metavar="NAME", help="whose calls share passes")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    if arguments.work == "write":
        write_bundles(arguments.source, folder, arguments.bundles)
        return
    found = {
        "machine": platform.machine(),
        "kernels": kernel_family(instruction_sets()),
        "bundles": {name: _answers(arguments.source, folder, name) for name in ANSWERING if name in arguments.bundles},
        "apart": {name: _apart(arguments.source, folder, name) for name in arguments.sharing},
    }
    (folder / FILE).write_text(json.dumps(found), encoding="utf-8")


def write_bundles(checkpoint: Path, folder: Path, names: Collection[str]) -> None:
    """Writes the float32 bundle, and one by each recipe that is named."""
    baseline = folder / FLOAT32
    export_bundle(open_checkpoint(checkpoint), baseline)
    for name, recipe in RECIPES.items():
        if name in names:
            quantize_bundle(baseline, folder / name, recipe)
            _log(folder, f"{name} written")


def _answers(bundles: Path, folder: Path, name: str) -> dict[str, Any]:
    with biogpt_onnx.load(bundles / name, device="cpu", threads=1) as model:
        np.save(folder / f"{name}.npy", model.logits(_LONG))
        found: dict[str, Any] = {
            "tokens": [list(answer.token_ids) for answer in model.generate(list(_PROMPTS), max_new_tokens=8)],
        }
    if name != FLOAT32:
        measured = evaluate(bundles / name, bundles / FLOAT32, evaluation_texts(), device="cpu", threads=1, prompts=0)
        found["perplexity_increase"] = measured.perplexity_increase.value
    _log(folder, f"{name} answered")
    return found


def _apart(bundles: Path, folder: Path, name: str) -> list[str]:
    """Returns the ways to compute something together with others, or in parts, whose results are others than alone."""
    with biogpt_onnx.load(bundles / name, device="cpu", threads=1) as model:
        found = [what for what, differs in _differences(model) if differs]
        found += [what for what, differs in _differences_when_served(model, bundles / name) if differs]
    _log(folder, f"{name} answered beside others")
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


def _like_lengths(model: BioGPT) -> bool:
    prompts = [_LONG[:length] for length in _LIKE_LENGTHS]
    together = model.generate_ids(prompts, max_new_tokens=3)
    alone = [model.generate_ids([prompt], max_new_tokens=3)[0] for prompt in prompts]
    return [answer.sequences for answer in together] != [answer.sequences for answer in alone]


def _behind_prefixes(model: BioGPT) -> bool:
    backend = model._backend
    choices = [_LONG[:3], _LONG[:5], [7]]
    for length, shared in ((62, 7), (131, 130)):
        prompt, prefix = tuple(_LONG[:length]), model.prefix(_LONG[:shared])
        if list(backend.score_tokens(prompt, prefix, _LONG[:9])) != list(backend.score_tokens(prompt, None, _LONG[:9])):
            return True
        if backend.score_continuations([(prompt, prefix)], choices) != backend.score_continuations(
            [(prompt, None)], choices
        ):
            return True
    return False


@dataclass
class _AtRandom:
    """A pace of chunks of random lengths, between which nobody takes a pass."""

    number: int = 0

    def most_tokens(self) -> int:
        self.number += 1
        return int(np.random.default_rng(self.number).integers(4, 40))

    def pause(self, tokens: int) -> None:
        """Goes on at once."""


def _in_pieces(model: BioGPT) -> bool:
    ids = _LONG[:131]

    def read() -> list[object]:
        return [
            model.score_ids(ids).log_probabilities,
            model.choose_ids([ids], ["yes", "no", "maybe not"])[0].choices,
            model.embed(model.tokenizer.decode(ids)).tolist(),
        ]

    whole = read()
    with at_pace(_AtRandom()):
        return read() != whole


def _choices(model: BioGPT) -> bool:
    options = ["yes", "no", "maybe not", "it is not known"]
    together = model.choose([TEXT, _PROMPTS[0]], options)
    return [each.choices for each in together] != [model.choose(text, options).choices for text in (TEXT, _PROMPTS[0])]


_PASSES: dict[str, Callable[[BioGPT], bool]] = {
    "prompts of like lengths": _like_lengths,
    "scores behind prefixes": _behind_prefixes,
    "texts in pieces": _in_pieces,
    "choices": _choices,
}


def _differences_when_served(model: BioGPT, bundle: Path) -> Iterator[tuple[str, bool]]:
    """Yields each way to share passes with the calls of other threads, and True if a result is another than alone."""
    alone = [call(model) for call in _CALLS]
    for mixed_passes in (False, True):
        served = biogpt_onnx.load(bundle, device="cpu", threads=1, mixed_passes=mixed_passes)
        with served.concurrent(max_rows=3) as shared, ThreadPoolExecutor(len(_CALLS)) as pool:
            together = list(pool.map(lambda call, shared=shared: call(shared), _CALLS))
        yield f"served, {mixed_passes=}", together != alone


_CALLS: tuple[Callable[[BioGPT], object], ...] = (
    *(
        lambda model, length=length: model.generate_ids([_LONG[:length]], max_new_tokens=6)[0].sequences
        for length in (2, 5, 62, 107)
    ),
    lambda model: model.generate(_PROMPTS[1], prefix=model.prefix(TEXT), max_new_tokens=6).sequences,
    lambda model: model.generate(_PROMPTS[1], num_beams=3, num_return_sequences=2, max_new_tokens=4).sequences,
    lambda model: model.choose(_PROMPTS[1], ["a tremor", "lithium toxicity"]).choices,
    lambda model: model.score(_PROMPTS[1]).log_probabilities,
)


if __name__ == "__main__":
    main()
