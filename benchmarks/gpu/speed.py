"""Speed of our prompts and steps on a device, beside the time to read the weights once."""

import dataclasses
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.gpu.models import open_on, weight_bytes
from benchmarks.gpu.parts import Clock, Found, attempt
from biogpt_onnx.runtime.backends.cuda.backend import CudaBackend
from biogpt_onnx.runtime.backends.cuda.session import Accelerator, DeviceSession
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.decoding.search import run_search
from biogpt_onnx.runtime.decoding.state import SequenceState

_START_ID, _FIRST_WORD_ID = 2, 4


@dataclass(frozen=True)
class Sizes:
    """Sizes and repetitions of what is measured.

    Attributes:
        first_token_prompts: tokens of the prompts whose first token is waited for.
        prompt: tokens of the prompts before measured steps.
        steps: in a generation.
        batches: prompts at a time.
        num_beams: of a beam search.
        beam_steps: steps of a beam search.
        beam_batches: prompts at a time in a beam search.
        rounds: generations that are measured, after one that is not.
        first_tokens: measured, after two that are not.
        peer_batches: prompts at a time beside transformers.
        peer_steps: in a generation beside transformers.
    """

    first_token_prompts: tuple[int, ...] = (128, 512)
    prompt: int = 128
    steps: int = 128
    batches: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    num_beams: int = 5
    beam_steps: int = 32
    beam_batches: tuple[int, ...] = (1, 8)
    rounds: int = 5
    first_tokens: int = 15
    peer_batches: tuple[int, ...] = (1, 8)
    peer_steps: int = 64


DRY = Sizes(
    (16, 64),
    prompt=16,
    steps=8,
    batches=(1, 3),
    beam_steps=4,
    beam_batches=(1, 2),
    rounds=2,
    first_tokens=3,
    peer_batches=(1, 3),
    peer_steps=4,
)


def measure(  # noqa: PLR0913, PLR0917 -- what is measured, where, how long, beside what
    found: Found, folder: Path, accelerator: Accelerator, sizes: Sizes, bandwidth: float | None, clock: Clock
) -> None:
    """Measures one model.

    Args:
        found: takes the results; times are in seconds, and all samples are kept.
        folder: the bundle.
        accelerator: the device.
        sizes: sizes and repetitions.
        bandwidth: of the device's memory in bytes per second, where it is known.
        clock: the time that is left of the run.
    """
    num_bytes = weight_bytes(folder)
    floor = num_bytes / bandwidth if bandwidth else None
    found |= {"weight_bytes": num_bytes, "floor_seconds": floor, "prompt_tokens": sizes.prompt, "steps": sizes.steps}
    start = perf_counter()
    session = open_on(folder, accelerator)
    found["load_seconds"] = perf_counter() - start
    uncaptured = open_on(folder, dataclasses.replace(accelerator, captures=False))
    found["single_steps"] = attempt(lambda: _both_ways(session, uncaptured, sizes, floor))
    found["time_to_first_token"] = {
        str(tokens): attempt(lambda tokens=tokens: _first_token(session, tokens, sizes))  # type: ignore[misc]
        for tokens in sizes.first_token_prompts
    }
    batches = found["batches"] = {}
    for size in sizes.batches:
        clock.check()
        batches[str(size)] = attempt(lambda size=size: _batch(session, size, sizes, floor))  # type: ignore[misc]
    beams = found["beams"] = {}
    for size in sizes.beam_batches:
        clock.check()
        beams[str(size)] = attempt(lambda size=size: _batch_of_beams(session, size, sizes, floor))  # type: ignore[misc]


def random_prompts(count: int, tokens: int, vocab_size: int) -> list[list[int]]:
    """Makes prompts of random tokens, the same each time."""
    random = np.random.default_rng(0)
    return [[_START_ID, *random.integers(_FIRST_WORD_ID, vocab_size, tokens - 1).tolist()] for _ in range(count)]


def token_times(
    session: DeviceSession, prompts: Sequence[Sequence[int]], new_tokens: int, num_beams: int = 1
) -> list[float]:
    """Generates and returns the seconds from the request until each new token of every prompt was on the CPU.

    Args:
        session: the model.
        prompts: token ids.
        new_tokens: of each prompt; no token ends a text.
        num_beams: 1 is greedy search.
    """
    config = GenerationConfig(max_new_tokens=new_tokens, num_beams=num_beams, eos_token_id=None)
    requests = [Request([SequenceState(tuple(prompt), new_tokens, eos_token_id=None)]) for prompt in prompts]
    start = perf_counter()
    return [perf_counter() - start for _ in run_search(CudaBackend(session), requests, config, Limits())]


def rounded(seconds: Sequence[float]) -> list[float]:
    """Rounds samples to a tenth of a microsecond, which is finer than the clock is exact."""
    return [round(value, 7) for value in seconds]


def _first_token(session: DeviceSession, tokens: int, sizes: Sizes) -> Found:
    prompts = random_prompts(1, tokens, session.vocab_size)
    samples = [token_times(session, prompts, 1)[0] for _ in range(sizes.first_tokens + 2)][2:]
    return {"seconds": statistics.median(samples), "samples": rounded(samples)}


def _batch(session: DeviceSession, size: int, sizes: Sizes, floor: float | None) -> Found:
    prompts = random_prompts(size, sizes.prompt, session.vocab_size)
    times = [token_times(session, prompts, sizes.steps + 1) for _ in range(sizes.rounds + 1)][1:]
    return _first_and_steps(times, size, floor)


def _both_ways(session: DeviceSession, uncaptured: DeviceSession, sizes: Sizes, floor: float | None) -> Found:
    """Measures one prompt's steps as CUDA graphs, where the device captures them, and without these, in turns."""
    prompts = random_prompts(1, sizes.prompt, session.vocab_size)
    sessions = {"captured": session, "not_captured": uncaptured}
    samples: dict[str, list[list[float]]] = {name: [] for name in sessions}
    for number in range(sizes.rounds + 1):
        for name, each in sessions.items():
            times = token_times(each, prompts, sizes.steps + 1)
            if number:  # the first round warms up
                samples[name].append(np.diff(times).tolist())
    return {name: _summary(values, 1, floor) for name, values in samples.items()}


def _batch_of_beams(session: DeviceSession, size: int, sizes: Sizes, floor: float | None) -> Found:
    prompts = random_prompts(size, sizes.prompt, session.vocab_size)
    times = [token_times(session, prompts, sizes.beam_steps + 1, sizes.num_beams) for _ in range(sizes.rounds + 1)][1:]
    return {"num_beams": sizes.num_beams, "steps": sizes.beam_steps} | _first_and_steps(times, size, floor)


def _first_and_steps(times: Sequence[Sequence[float]], rows: int, floor: float | None) -> Found:
    """Summarizes the times of several generations: until the first token of all rows, and each step after it."""
    first = [one[0] for one in times]
    samples = [np.diff(one).tolist() for one in times]
    return {"first_token_seconds": statistics.median(first), "first_token_samples": rounded(first)} | _summary(
        samples, rows, floor
    )


def _summary(samples: Sequence[Sequence[float]], rows: int, floor: float | None) -> Found:
    step = statistics.median(seconds for one in samples for seconds in one)
    return {
        "step_seconds": step,
        "tokens_per_second": rows / step,
        "step_to_floor": step / floor if floor else None,
        "samples": [rounded(one) for one in samples],
    }
