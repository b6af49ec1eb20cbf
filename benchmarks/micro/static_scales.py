"""Recipe `int8` beside the same with a scale for each row: `python -m benchmarks.micro.static_scales --output FILE`.

Measures prompts of several lengths, steps of several rows and the head alone, of both in turns in one process, as
ratios. In the other bundle each row of each product's input has a scale of its own, and embedding and head have
unsigned 8-bit weights.
"""

import argparse
import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
import onnx_ir as ir

from benchmarks.full_size import PRESET, THREADS, random_prompt
from benchmarks.in_turns import measured_in_turns
from benchmarks.results_file import output_file, stamp, summarized, write_results
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.export.graph.builder import GraphBuilder
from biogpt_onnx.quantize.bundle_weights import Values
from biogpt_onnx.quantize.packing.layer_packing import LayerPacking
from biogpt_onnx.quantize.packing.layers import PackedHead
from biogpt_onnx.quantize.packing.packed_weights import PackedWeights
from biogpt_onnx.quantize.packing.rows import Rows
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.options import LoadOptions
from biogpt_onnx.runtime.ort.protocols import InferenceSession
from biogpt_onnx.runtime.ort.providers import CPU_PROVIDER, import_onnxruntime
from biogpt_onnx.runtime.ort.sessions import session_options

PROMPTS = (128, 512, 900)
BATCHES = (1, 5, 8, 16)
CONTEXT = 128
HIDDEN_SIZE, VOCABULARY = 1024, 42_384
STEPS = 4
ROUNDS = 7

_TABLE = "table"
_ROWS, _STATIC = "scale for each row", "int8"
_RECIPES = {
    _ROWS: dataclasses.replace(RECIPES["int8"], table=Rows(bits=8), static_scales=False),
    _STATIC: RECIPES["int8"],
}


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    parser.add_argument("--folder", type=Path, help="keep the bundles there, and take them from there if they exist")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how often each is measured (default {ROUNDS})")
    options = parser.parse_args()
    in_turns = partial(measured_in_turns, rounds=options.rounds, ours=_STATIC, theirs=_ROWS)
    with ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sessions = {name: _opened(path) for name, path in _bundles(folder).items()}
        results = stamp() | {"model": PRESET, "threads": THREADS, "context": CONTEXT, "rounds": options.rounds}
        parts = {f"prompt of {tokens}": partial(_prompt, tokens=tokens) for tokens in PROMPTS}
        parts |= {f"step of {rows}": partial(_steps, rows=rows) for rows in BATCHES}
        for part, measure in parts.items():
            results[part] = in_turns(sessions, measure)
            print(part, summarized(results[part]), flush=True)
        heads = {name: _head(recipe.table) for name, recipe in _RECIPES.items()}
        for rows in BATCHES:
            part = f"head of {rows}"
            results[part] = in_turns(heads, partial(_products, rows=rows))
            print(part, summarized(results[part]), flush=True)
        write_results(options.output, results)


def _bundles(folder: Path) -> Mapping[str, Path]:
    original = folder / "fp32"
    if not original.exists():
        export_bundle(open_checkpoint(PRESET), original)
    bundles = {name: folder / name.replace(" ", "-") for name in _RECIPES}
    for name, path in bundles.items():
        if not path.exists():
            quantize_bundle(original, path, _RECIPES[name])
    return bundles


def _opened(path: Path) -> DecoderSession:
    return DecoderSession(path, read_manifest(path), LoadOptions(threads=THREADS))


def _head(table: LayerPacking) -> InferenceSession:
    """Opens a graph of the output head alone, of random weights."""
    if not isinstance(table, Rows):
        raise TypeError(f"the table is packed in {table}, not in rows")
    packed, graph = PackedWeights(), GraphBuilder()
    head = PackedHead(graph, _TABLE, HIDDEN_SIZE, VOCABULARY, packed=packed, packing=table)
    x = graph.input("x", ir.DataType.FLOAT, ["rows", HIDDEN_SIZE])
    graph.output(head(x), "logits", ir.DataType.FLOAT, ["rows", VOCABULARY])
    model = graph.build("head")
    packed.attach(model, lambda _: _random(VOCABULARY))
    onnxruntime = import_onnxruntime()
    options = session_options(onnxruntime, THREADS, prepack=True, is_half_on_cpu=False)
    serialized = ir.serde.serialize_model(model).SerializeToString()
    session: InferenceSession = onnxruntime.InferenceSession(serialized, options, providers=[CPU_PROVIDER])
    return session


def _random(rows: int) -> Values:
    return np.random.default_rng(0).standard_normal((rows, HIDDEN_SIZE)).astype(np.float32)


def _products(session: InferenceSession, rows: int) -> list[float]:
    return _timed([partial(session.run, None, {"x": _random(rows)})] * STEPS)


def _prompt(session: DecoderSession, tokens: int) -> list[float]:
    ids, cache = np.array([random_prompt(tokens)]), session.new_cache(1, tokens)
    start = perf_counter()
    session.forward(ids, cache)
    return [perf_counter() - start]


def _steps(session: DecoderSession, rows: int) -> list[float]:
    cache = session.new_cache(rows, CONTEXT + STEPS)
    prompt = np.array([random_prompt(CONTEXT)])
    for row in range(rows):
        # Of the prompt only the keys and values matter, which are the same in each row.
        if row:
            cache.buffer[:, :, row] = cache.buffer[:, :, 0]
            cache.lengths[row] = CONTEXT
        else:
            session.forward(prompt, cache.row(0))
            cache.lengths[0] = CONTEXT
    return _timed([partial(session.forward, np.full((rows, 1), 50 + step), cache) for step in range(STEPS)])


def _timed(passes: Sequence[Callable[[], object]]) -> list[float]:
    seconds = []
    for run in passes:
        start = perf_counter()
        run()
        seconds.append(perf_counter() - start)
    return seconds[1:]  # the first one allocates


if __name__ == "__main__":
    main()
