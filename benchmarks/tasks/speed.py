"""Documents per minute of BioGPT's tasks: `python -m benchmarks.tasks.speed --output FILE --data FOLDER`.

Measures int8 beside transformers in float32 with a batch of 8, both at BioGPT's full size on two threads, in turns. The
weights are random, so what is generated is prescribed; every step is computed in full.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

import biogpt_onnx
from benchmarks.full_size import PRESET, THREADS
from benchmarks.model_files import write_safetensors
from benchmarks.processes import started
from benchmarks.results_file import output_file, stamp, write_results
from benchmarks.tasks.texts import TaskExample, Workload, workloads
from biogpt_onnx import BioGPT
from biogpt_onnx.bench.measuring.process import PinnedProcess
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.tasks import AnswerTask, ClassificationTask, RelationTask

BATCH_SIZE = 8
DRAFT_TOKENS = 10
_CERTAIN = np.float32(1e6)
# Idle threads look for work for a while.
_PAUSE_SECONDS = 0.5

Way = Callable[[], float]


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="a folder with biogpt/dict.txt, biogpt/bpecodes, bc5cdr/valid.json and pubmedqa/valid.tsv",
    )
    parser.add_argument("--documents", type=int, default=8, help="of each task")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way is measured")
    options = parser.parse_args()
    made_on = stamp()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = open_checkpoint(PRESET, vocabulary=options.data / "biogpt")
        source = write_safetensors(checkpoint, folder / "checkpoint", "float32")
        export_bundle(checkpoint, folder / "fp32")
        quantize_bundle(folder / "fp32", folder / "int8", RECIPES["int8"])
        model = biogpt_onnx.load(folder / "int8", device="cpu", threads=THREADS)
        with started("tasks.transformers_worker", source, THREADS, threads=THREADS) as peer:
            found = {
                workload.name: _measure(model, peer, workload, options.rounds)
                for workload in workloads(model, options.data, options.documents)
            }
    results = {
        **made_on,
        "threads": THREADS,
        "batch_size": BATCH_SIZE,
        "documents": options.documents,
        "rounds": options.rounds,
        "draft_tokens": DRAFT_TOKENS,
        "recipe": "int8",
        "tasks": found,
    }
    write_results(options.output, results)


def _measure(model: BioGPT, peer: PinnedProcess, workload: Workload, rounds: int) -> Mapping[str, object]:
    ways = {
        "transformers": lambda: _transformers_seconds(peer, _batches(workload.examples, BATCH_SIZE)),
        **_our_ways(model, workload),
    }
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            seconds = way()
            time.sleep(_PAUSE_SECONDS)
            # The first round warms up.
            if number:
                samples[name].append(seconds)
    medians = {name: statistics.median(values) for name, values in samples.items()}
    count = len(workload.examples)
    found = {
        "prompt_tokens": sum(len(one.prepared.prompt_ids) for one in workload.examples) / count,
        "new_tokens": sum(len(one.target) for one in workload.examples) / count,
        "documents_per_minute": {name: 60 * count / seconds for name, seconds in medians.items()},
        "to_transformers": medians["transformers"] / medians["batches"],
        "samples": samples,
    }
    print(workload.name, json.dumps({key: value for key, value in found.items() if key != "samples"}), flush=True)
    return found


def _our_ways(model: BioGPT, workload: Workload) -> dict[str, Way]:
    """Returns the ways to do a task: in batches as the commands do it, and without or with what makes it faster."""
    task = workload.task
    ways = {
        "batches": lambda: _seconds(model, task, _batches(workload.examples, BATCH_SIZE)),
        "one by one": lambda: _seconds(model, task, _batches(workload.examples, 1)),
    }
    if isinstance(task, RelationTask):
        drafted = replace(task, config=task.config.replace(prompt_lookup_num_tokens=DRAFT_TOKENS))
        ways["one by one, drafts"] = lambda: _seconds(model, drafted, _batches(workload.examples, 1))
    if isinstance(task, AnswerTask | ClassificationTask):
        ways["each label alone"] = lambda: _labels_alone(model, task, workload.examples)
    return ways


def _seconds(model: BioGPT, task: Any, batches: Sequence[Sequence[TaskExample]]) -> float:  # noqa: ANN401 -- any task
    start = perf_counter()
    for batch in batches:
        prescribed = replace(task, config=task.config.replace(logits_processors=[_prescribed(batch)]))
        results = prescribed.answer(model, [one.prepared for one in batch])
        if isinstance(task, RelationTask) and not all(found.complete and not found.unparsed for found in results):
            raise RuntimeError("what was written is not what was prescribed")
    return perf_counter() - start


def _labels_alone(model: BioGPT, task: AnswerTask | ClassificationTask, examples: Sequence[TaskExample]) -> float:
    start = perf_counter()
    for one in examples:
        for label in task.labels:
            model.choose(model.prefix(one.prepared.prompt_ids), [task.sentence.replace("{label}", label)])
    return perf_counter() - start


def _prescribed(batch: Sequence[TaskExample]) -> Callable[..., npt.NDArray[np.float32]]:
    def prescribe(ids: npt.NDArray[np.int64], logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        prescribed = logits.copy()
        for one in batch:
            prompt = one.prepared.prompt_ids
            if tuple(ids[: len(prompt)].tolist()) == prompt:
                prescribed[one.target[len(ids) - len(prompt)]] += _CERTAIN
        return prescribed

    return prescribe


def _batches(examples: Sequence[TaskExample], size: int) -> list[list[TaskExample]]:
    """Groups documents of like length, the longest first."""
    ordered = sorted(examples, key=lambda one: -len(one.prepared.prompt_ids))
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


def _transformers_seconds(peer: PinnedProcess, batches: Sequence[Sequence[TaskExample]]) -> float:
    """Has transformers generate all batches; its seconds are without making token ids."""
    seconds = 0.0
    for batch in batches:
        request = {
            "prompts": [list(one.prepared.prompt_ids) for one in batch],
            "targets": [list(one.target) for one in batch],
        }
        seconds += float(peer.ask({"generate": request})["seconds"])
    return seconds


if __name__ == "__main__":
    main()
