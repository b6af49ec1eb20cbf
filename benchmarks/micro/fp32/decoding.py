"""Prefill and greedy steps at BioGPT's full size: ours, transformers and the memory's speed, in turns."""

import statistics
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.full_size import PRESET, THREADS, random_prompt
from benchmarks.micro.worker import Samples, after_a_pause, worker
from benchmarks.model_files import export_in_process, write_safetensors
from biogpt_onnx.bench.measuring.machine_limits import ReadBandwidth
from biogpt_onnx.export.checkpoint.names import POSITIONS
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.runtime.bundle import read_manifest

PROMPT_TOKENS = 128
ROUNDS = 12
STEPS_PER_ROUND = 12


@dataclass(frozen=True)
class Round:
    """One turn of each worker.

    Attributes:
        workers: seconds of each worker, by its kind.
        bandwidth: bytes per second that two threads read after them.
    """

    workers: dict[str, Samples]
    bandwidth: float


def measure(folder: Path) -> Mapping[str, object]:
    """Measures ours with prepacked weights, ours with mapped weights, and transformers.

    Args:
        folder: for temporary files; 3 GB.

    Returns:
        Medians in seconds, their ratios to the floor and to transformers, and the samples.
    """
    checkpoint = open_checkpoint(PRESET)
    source = write_safetensors(checkpoint, folder / "checkpoint", "float32")
    bundle = folder / "bundle"
    export_in_process(str(source), bundle)
    rounds = list(_rounds({"prepacked": bundle, "mapped": bundle, "transformers": source}))
    # All weights but the position table, of which a step reads one row; and the cache is not counted.
    step_bytes = sum(4 * int(np.prod(t.shape)) for name, t in checkpoint.tensors.items() if name != POSITIONS)
    bandwidths = [row.bandwidth for row in rounds]
    return {
        "model": f"{PRESET}, fp32",
        "threads": THREADS,
        "prompt_tokens": PROMPT_TOKENS,
        "rounds": len(rounds),
        "steps_per_round": STEPS_PER_ROUND,
        "bundle_bytes": read_manifest(bundle).num_bytes,
        "step_bytes": step_bytes,
        "read_bandwidth_median": statistics.median(bandwidths),
        "read_bandwidth_best": max(bandwidths),
        "medians": _medians(rounds, step_bytes),
        "samples": [asdict(row) for row in rounds],
    }


def _medians(rounds: list[Round], step_bytes: int) -> dict[str, dict[str, float]]:
    """Computes each worker's median seconds, and their ratios to the floor and to transformers."""
    bandwidth = statistics.median(row.bandwidth for row in rounds)
    best_bandwidth = max(row.bandwidth for row in rounds)
    medians = {}
    for name in rounds[0].workers:
        samples = [row.workers[name] for row in rounds]
        step = statistics.median(seconds for sample in samples for seconds in sample.steps)
        medians[name] = {
            "prefill_seconds": statistics.median(sample.prefill for sample in samples),
            "step_seconds": step,
            "step_to_floor": step * bandwidth / step_bytes,
            "step_to_floor_at_best_bandwidth": step * best_bandwidth / step_bytes,
        }
    theirs = dict(medians["transformers"])
    for values in medians.values():
        for what in ("prefill", "step"):
            values[f"{what}_to_transformers"] = values[f"{what}_seconds"] / theirs[f"{what}_seconds"]
    return medians


def _rounds(sources: Mapping[str, Path]) -> Iterator[Round]:
    ids = random_prompt(PROMPT_TOKENS)
    bandwidth = ReadBandwidth(THREADS)
    with ExitStack() as stack:
        workers = {kind: stack.enter_context(worker(kind, source, THREADS)) for kind, source in sources.items()}
        for number in range(ROUNDS + 1):
            samples = {kind: after_a_pause(each.measure, ids, STEPS_PER_ROUND) for kind, each in workers.items()}
            row = Round(samples, after_a_pause(bandwidth.measure))
            if number:  # the first round warms up
                yield row
