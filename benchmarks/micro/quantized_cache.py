"""A cache in 8 bits beside one in float32: `python -m benchmarks.micro.quantized_cache --output FILE --data FOLDER`.

Measures prompts with all that must be done before the first step, and steps of several rows behind several contexts, of
both in turns in one process, as ratios; and the perplexity of the embedded checkpoint and its twins with outliers where
all text goes through the cache.
"""

import argparse
import dataclasses
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.full_size import PRESET, THREADS, random_prompt
from benchmarks.in_turns import measured_in_turns
from benchmarks.processes import CHECKOUT
from benchmarks.results_file import output_file, stamp, summarized, write_results
from benchmarks.tasks.recipe_quality import baselines, texts_of
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.evaluate.evaluation import evaluate
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import CACHES, RECIPES
from biogpt_onnx.runtime.backends.chunks import chunks
from biogpt_onnx.runtime.backends.cpu.decoder import TreeDecoder
from biogpt_onnx.runtime.backends.cpu.quantized_session import QuantizedCacheSession, read_cache_scales
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.options import LoadOptions

RECIPE_NAMES = ("int8", "int4")
PROMPTS = (128, 512, 900)
BATCHES = ((1, 128), (1, 900), (8, 128), (8, 900))
STEPS = 3
ROUNDS = 7

_FLOAT32, _INT8 = CACHES

Session = TreeDecoder[Any]


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    parser.add_argument("--data", type=Path, help="folder with texts for perplexity; without it, times alone")
    parser.add_argument("--folder", type=Path, help="keep the bundles there, and take them from there if they exist")
    parser.add_argument("--recipe", choices=RECIPE_NAMES, default="int8", help="recipe of the times (default int8)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how often each is measured (default {ROUNDS})")
    options = parser.parse_args()
    in_turns = partial(measured_in_turns, rounds=options.rounds, ours=_INT8, theirs=_FLOAT32)
    with ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sessions = {name: _opened(path) for name, path in _bundles(folder, options.recipe).items()}
        results = stamp() | {
            "model": PRESET,
            "recipe": options.recipe,
            "threads": THREADS,
            "rounds": options.rounds,
            "bytes_a_token": {name: _bytes_a_token(session) for name, session in sessions.items()},
        }
        for tokens in PROMPTS:
            results[part := f"prompt of {tokens}"] = in_turns(sessions, partial(_prompt, tokens=tokens))
            print(part, summarized(results[part]), flush=True)
        for rows, context in BATCHES:
            part = f"step of {rows} behind {context}"
            results[part] = in_turns(sessions, partial(_steps, rows=rows, context=context))
            print(part, summarized(results[part]), flush=True)
        if options.data is not None:
            results["perplexity"] = _perplexities(options.data, folder)
        write_results(options.output, results)


def _bundles(folder: Path, recipe: str) -> Mapping[str, Path]:
    original = folder / "fp32"
    if not original.exists():
        export_bundle(open_checkpoint(PRESET), original)
    bundles = {cache: folder / f"{recipe}-cache-{cache}" for cache in CACHES}
    for cache, path in bundles.items():
        if not path.exists():
            quantize_bundle(original, path, dataclasses.replace(RECIPES[recipe], cache=cache))
    return bundles


def _opened(path: Path) -> Session:
    manifest = read_manifest(path)
    session = DecoderSession(path, manifest, LoadOptions(threads=THREADS))
    if manifest.cache is None:
        return session
    return QuantizedCacheSession(session, read_cache_scales(path, manifest.architecture))


def _bytes_a_token(session: Session) -> int:
    cache = session.new_cache(1, 1)
    rows = cache.to_step() if isinstance(session, QuantizedCacheSession) else cache
    size: int = rows.buffer.nbytes
    return size


def _prompt(session: Session, tokens: int) -> list[float]:
    cache, start = session.new_cache(1, tokens), perf_counter()
    _read(session, cache, tokens)
    cache.end_reading()
    return [perf_counter() - start]


def _read(session: Session, cache: Any, tokens: int) -> None:  # noqa: ANN401 -- the session's own
    ids = np.array([random_prompt(tokens)])
    for chunk in chunks(0, tokens):
        session.forward(ids[:, chunk], cache)


def _steps(session: Session, rows: int, context: int) -> list[float]:
    cache = session.new_cache(rows, context + STEPS + 1)
    _read(session, cache.row(0), context)
    cache.end_reading()
    for row in range(1, rows):
        cache.row(row).copy_from(cache.row(0), context)
    ids = np.array([random_prompt(rows)]).T.copy()
    session.forward_steps(ids, cache)
    seconds = []
    for _ in range(STEPS):
        start = perf_counter()
        session.forward_steps(ids, cache)
        seconds.append(perf_counter() - start)
    return seconds


def _perplexities(data: Path, folder: Path) -> dict[str, dict[str, Any]]:
    """Returns, by twin and recipe, the perplexities with both caches and the growth as a share."""
    texts, found = texts_of(data), dict[str, dict[str, Any]]()
    with tempfile.TemporaryDirectory(dir=folder) as work:
        for twin, baseline in baselines(CHECKOUT / "checkpoints" / "mini", Path(work)):
            for recipe in RECIPE_NAMES:
                perplexity = {}
                for cache in CACHES:
                    bundle = baseline.with_name(f"{baseline.name}-{recipe}-{cache}")
                    quantize_bundle(baseline, bundle, dataclasses.replace(RECIPES[recipe], cache=cache))
                    perplexity[cache] = evaluate(bundle, baseline, texts, prompts=0).perplexity
                growth = perplexity[_INT8] / perplexity[_FLOAT32] - 1
                found.setdefault(twin, {})[recipe] = perplexity | {"growth": growth}
                print(twin, recipe, f"{growth:+.4%}", flush=True)
    return found


if __name__ == "__main__":
    main()
