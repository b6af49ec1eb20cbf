"""Prefill and greedy steps at BioGPT's full size: ours, transformers and the memory's speed, in turns."""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np

from bandwidth import ReadBandwidth
from biogpt_onnx.export.checkpoint.names import POSITIONS
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.runtime.bundle import read_manifest
from export_memory import peak_of_export
from safetensors_source import write_safetensors
from workers import Samples, Worker

PRESET = "preset:biogpt"
THREADS = 2
PROMPT_TOKENS = 128
ROUNDS = 12
STEPS_PER_ROUND = 12

# ONNX Runtime's threads look for work for a while before they sleep, and would disturb whoever comes next.
_PAUSE_SECONDS = 0.3

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Round:
    """One turn of each."""

    ours: Samples
    transformers: Samples
    bandwidth: float


def measure(folder: Path) -> Mapping[str, object]:
    """Medians, their ratios, and the samples."""
    checkpoint = open_checkpoint(PRESET)
    source = write_safetensors(checkpoint, folder / "checkpoint", "float32")
    peak_of_export(str(source), folder / "bundle")
    rounds = list(_rounds(folder / "bundle", source))
    # All weights but the position table, of which a step reads one row; and the cache is not counted.
    step_bytes = sum(4 * int(np.prod(t.shape)) for name, t in checkpoint.tensors.items() if name != POSITIONS)
    # The best bandwidth of the run makes the strictest floor.
    bandwidth = max(row.bandwidth for row in rounds)
    step = _median_step(row.ours for row in rounds)
    their_step = _median_step(row.transformers for row in rounds)
    prefill = statistics.median(row.ours.prefill for row in rounds)
    their_prefill = statistics.median(row.transformers.prefill for row in rounds)
    return {
        "model": f"{PRESET}, fp32",
        "threads": THREADS,
        "prompt_tokens": PROMPT_TOKENS,
        "rounds": len(rounds),
        "steps_per_round": STEPS_PER_ROUND,
        "bundle_bytes": read_manifest(folder / "bundle").num_bytes,
        "step_bytes": step_bytes,
        "read_bandwidth_best": bandwidth,
        "read_bandwidth_median": statistics.median(row.bandwidth for row in rounds),
        "step_seconds": step,
        "transformers_step_seconds": their_step,
        "prefill_seconds": prefill,
        "transformers_prefill_seconds": their_prefill,
        "step_to_floor": step / (step_bytes / bandwidth),
        "step_to_transformers": step / their_step,
        "prefill_to_transformers": prefill / their_prefill,
        "samples": [asdict(row) for row in rounds],
    }


def _rounds(bundle: Path, source: Path) -> Iterator[Round]:
    ids = [2, *np.random.default_rng(0).integers(4, 42_000, PROMPT_TOKENS - 1).tolist()]
    bandwidth = ReadBandwidth(THREADS)
    with Worker("ours", bundle, THREADS) as ours, Worker("transformers", source, THREADS) as theirs:
        for number in range(ROUNDS + 1):
            row = Round(
                ours=_after_a_pause(ours.measure, ids, STEPS_PER_ROUND),
                transformers=_after_a_pause(theirs.measure, ids, STEPS_PER_ROUND),
                bandwidth=_after_a_pause(bandwidth.measure),
            )
            if number:  # the first round warms up
                yield row


def _after_a_pause(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    time.sleep(_PAUSE_SECONDS)
    return function(*args, **kwargs)


def _median_step(samples: Iterable[Samples]) -> float:
    return statistics.median(seconds for sample in samples for seconds in sample.steps)
