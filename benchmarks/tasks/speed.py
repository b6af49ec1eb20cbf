"""Documents a minute of BioGPT's tasks: `python benchmarks/task_speed.py --output FILE --data FOLDER`.

int8 beside transformers in float32 with a batch of 8, both at BioGPT's full size on two threads, in turns. The weights
are random, so what is written is prescribed; every step is computed in full.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Self

import numpy as np
import numpy.typing as npt

import biogpt_onnx
from biogpt_onnx import BioGPT
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.tasks import AnswerTask, ClassificationTask, RelationTask
from decoding import PRESET, THREADS
from machine import describe
from safetensors_source import write_safetensors
from task_texts import Asked, Workload, workloads

BATCH_SIZE = 8
DRAFT_TOKENS = 10
_CERTAIN = np.float32(1e6)
# Idle threads look for work for a while.
_PAUSE_SECONDS = 0.5

Way = Callable[[], float]


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the JSON file to write")
    parser.add_argument(
        "--data", type=Path, required=True, help="the published vocabulary and texts; see task_texts.py"
    )
    parser.add_argument("--documents", type=int, default=8, help="of each task")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way is measured")
    options = parser.parse_args()
    started = datetime.now(UTC).isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = open_checkpoint(PRESET, vocabulary=options.data / "biogpt")
        source = write_safetensors(checkpoint, folder / "checkpoint", "float32")
        export_bundle(checkpoint, folder / "fp32")
        quantize_bundle(folder / "fp32", folder / "int8", RECIPES["int8"])
        model = biogpt_onnx.load(folder / "int8", device="cpu", threads=THREADS)
        with _Peer(source) as peer:
            found = {
                workload.name: _measure(model, peer, workload, options.rounds)
                for workload in workloads(model, options.data, options.documents)
            }
    results = {
        "started": started,
        "machine": describe(),
        "threads": THREADS,
        "batch_size": BATCH_SIZE,
        "documents": options.documents,
        "rounds": options.rounds,
        "draft_tokens": DRAFT_TOKENS,
        "recipe": "int8",
        "tasks": found,
    }
    options.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def _measure(model: BioGPT, peer: "_Peer", workload: Workload, rounds: int) -> Mapping[str, object]:
    ways = {"transformers": lambda: peer.seconds(_batches(workload.asked, BATCH_SIZE)), **_our_ways(model, workload)}
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            seconds = way()
            time.sleep(_PAUSE_SECONDS)
            # The first round warms up.
            if number:
                samples[name].append(seconds)
    medians = {name: statistics.median(values) for name, values in samples.items()}
    count = len(workload.asked)
    found = {
        "prompt_tokens": sum(len(one.prepared.prompt_ids) for one in workload.asked) / count,
        "new_tokens": sum(len(one.target) for one in workload.asked) / count,
        "documents_per_minute": {name: 60 * count / seconds for name, seconds in medians.items()},
        "to_transformers": medians["transformers"] / medians["batches"],
        "samples": samples,
    }
    print(workload.name, json.dumps({key: value for key, value in found.items() if key != "samples"}), flush=True)
    return found


def _our_ways(model: BioGPT, workload: Workload) -> dict[str, Way]:
    """How the task may be done: in batches as the commands do it, and without or with what makes it faster."""
    task = workload.task
    ways = {
        "batches": lambda: _seconds(model, task, _batches(workload.asked, BATCH_SIZE)),
        "one by one": lambda: _seconds(model, task, _batches(workload.asked, 1)),
    }
    if isinstance(task, RelationTask):
        drafted = replace(task, config=task.config.replace(prompt_lookup_num_tokens=DRAFT_TOKENS))
        ways["one by one, drafts"] = lambda: _seconds(model, drafted, _batches(workload.asked, 1))
    if isinstance(task, AnswerTask | ClassificationTask):
        ways["each label alone"] = lambda: _labels_alone(model, task, workload.asked)
    return ways


def _seconds(model: BioGPT, task: Any, batches: Sequence[Sequence[Asked]]) -> float:  # noqa: ANN401 -- any task
    start = perf_counter()
    for batch in batches:
        asked = replace(task, config=task.config.replace(logits_processors=[_prescribed(batch)]))
        results = asked.answer(model, [one.prepared for one in batch])
        if isinstance(task, RelationTask) and not all(found.complete and not found.unparsed for found in results):
            raise RuntimeError("what was written is not what was prescribed")
    return perf_counter() - start


def _labels_alone(model: BioGPT, task: AnswerTask | ClassificationTask, asked: Sequence[Asked]) -> float:
    start = perf_counter()
    for one in asked:
        for label in task.labels:
            model.choose(model.prefix(one.prepared.prompt_ids), [task.sentence.replace("{label}", label)])
    return perf_counter() - start


def _prescribed(batch: Sequence[Asked]) -> Callable[..., npt.NDArray[np.float32]]:
    def prescribe(ids: npt.NDArray[np.int64], logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        prescribed = logits.copy()
        for one in batch:
            prompt = one.prepared.prompt_ids
            if tuple(ids[: len(prompt)].tolist()) == prompt:
                prescribed[one.target[len(ids) - len(prompt)]] += _CERTAIN
        return prescribed

    return prescribe


def _batches(asked: Sequence[Asked], size: int) -> list[list[Asked]]:
    """Batches of documents of like length, the longest first."""
    ordered = sorted(asked, key=lambda one: -len(one.prepared.prompt_ids))
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


class _Peer:
    """transformers in a process of its own."""

    def __init__(self, source: Path) -> None:
        command = [sys.executable, str(Path(__file__).parent / "transformers_tasks.py"), str(source), str(THREADS)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def seconds(self, batches: Sequence[Sequence[Asked]]) -> float:
        """The seconds of all batches, without making token ids."""
        return sum(self._ask(batch) for batch in batches)

    def _ask(self, batch: Sequence[Asked]) -> float:
        if self._process.stdin is None:
            raise RuntimeError("transformers has no pipe")
        request = {
            "prompts": [list(one.prepared.prompt_ids) for one in batch],
            "targets": [list(one.target) for one in batch],
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return float(self._answer()["seconds"])

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"transformers ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


if __name__ == "__main__":
    main()
