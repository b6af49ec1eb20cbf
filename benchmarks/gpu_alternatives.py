"""Choices that could have been made otherwise on a GPU, each beside what was chosen, in turns.

Kernels are chosen by ONNX Runtime's options and environment variables, which it reads when a session is opened or run.
"""

import dataclasses
import os
import statistics
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.cuda.session import Accelerator, DeviceSession
from gpu_models import open_on
from gpu_parts import Clock, Found, attempt
from gpu_speed import Sizes, median_of, random_prompts, step_times, token_times

CHOSEN = "chosen"


@dataclass(frozen=True)
class Alternative:
    """Another way to run the same graph.

    Attributes:
        without: options of the provider that are left at their defaults.
        environment: variables that are set while it is opened and run.
    """

    without: frozenset[str] = frozenset()
    environment: Mapping[str, str] = field(default_factory=dict)

    def applied(self, accelerator: Accelerator) -> Accelerator:
        """A device, with options as this says."""
        options = tuple(option for option in accelerator.options if option[0] not in self.without)
        return dataclasses.replace(accelerator, options=options)


ALTERNATIVES = {
    CHOSEN: Alternative(),
    # ONNX Runtime's own choice, which for prompts on newer cards is cuDNN's attention.
    "any attention": Alternative(without=frozenset({"sdpa_kernel"})),
    # Its attention for steps made for one query at a time; without it, the one that splits the keys.
    "no XQA": Alternative(environment={"ORT_ENABLE_XQA": "0"}),
    # Times cuBLAS and two kernels for few rows, for each shape of a product; from version 1.31 on.
    "tuned products": Alternative(environment={"ORT_CUDA_GEMM_AUTO_TUNE": "1"}),
}


def measure(found: Found, folder: Path, accelerator: Accelerator, sizes: Sizes, clock: Clock) -> None:
    """Measures steps and first tokens in every way.

    Args:
        found: takes what is measured; times are in seconds.
        folder: the bundle.
        accelerator: the device, with the options that were chosen.
        sizes: what is measured.
        clock: what is left of the run.
    """
    sessions: dict[str, DeviceSession] = {}
    for name, alternative in ALTERNATIVES.items():
        clock.check()
        found[name] = attempt(lambda name=name, way=alternative: _opened(sessions, name, folder, way, accelerator))  # type: ignore[misc]
    expected = _logits(sessions[CHOSEN], sizes)
    for name, session in sessions.items():
        clock.check()
        with _environment(ALTERNATIVES[name].environment):
            found[name] |= attempt(lambda session=session: _beside(expected, _logits(session, sizes)))  # type: ignore[misc]
            found[name]["first_token"] = attempt(lambda session=session: _first_tokens(session, sizes))  # type: ignore[misc]
    found["steps"] = {
        str(size): attempt(lambda size=size: _steps(sessions, size, sizes, clock))  # type: ignore[misc]
        for size in sizes.peer_batches
    }


def _opened(
    sessions: dict[str, DeviceSession], name: str, folder: Path, way: Alternative, accelerator: Accelerator
) -> Found:
    with _environment(way.environment):
        sessions[name] = open_on(folder, way.applied(accelerator))
    return {"without": sorted(way.without), "environment": dict(way.environment)}


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _logits(session: DeviceSession, sizes: Sizes) -> npt.NDArray[np.float32]:
    """Behind a prompt, and behind each of a few given tokens after it, [1 + steps, vocab]."""
    (prompt,) = random_prompts(1, sizes.prompt, session.vocab_size)
    tokens = prompt[1 : 1 + sizes.beam_steps]
    cache = session.new_cache(1, sizes.prompt + len(tokens))
    logits = [session.forward(np.array([prompt]), cache)]
    logits += [session.forward(np.array([[token]]), cache) for token in tokens]
    return np.concatenate(logits)


def _beside(expected: npt.NDArray[np.float32], logits: npt.NDArray[np.float32]) -> Found:
    return {"logits_apart_to_spread": float(np.abs(logits - expected).max() / expected.std())}


def _first_tokens(session: DeviceSession, sizes: Sizes) -> Found:
    """Behind prompts of lengths that this session has not read before, and behind prompts of the same lengths again."""
    samples: dict[str, list[float]] = {"a new length": [], "the same again": []}
    lengths = range(sizes.prompt + 1, sizes.prompt + 1 + sizes.new_lengths)
    token_times(session, random_prompts(1, sizes.prompt, session.vocab_size), 1)  # what is done but once
    for values in samples.values():
        for length in lengths:
            values.append(token_times(session, random_prompts(1, length, session.vocab_size), 1)[0])
    return {name: median_of(values) | {"largest_seconds": max(values)} for name, values in samples.items()}


def _steps(sessions: Mapping[str, DeviceSession], size: int, sizes: Sizes, clock: Clock) -> Found:
    """A step of so many rows, in turns."""
    samples: dict[str, list[float]] = {name: [] for name in sessions}
    for number in range(sizes.rounds + 1):
        for name, session in sessions.items():
            clock.check()
            prompts = random_prompts(size, sizes.prompt, session.vocab_size)
            with _environment(ALTERNATIVES[name].environment):
                seconds = step_times(session, prompts, sizes.peer_steps)
            if number:  # the first round warms up, captures and tunes
                samples[name].append(statistics.median(seconds))
    found = {name: median_of(values) for name, values in samples.items()}
    chosen = found[CHOSEN]["seconds"]
    return {name: one | {"to_chosen": one["seconds"] / chosen} for name, one in found.items()}
