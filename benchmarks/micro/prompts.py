"""Time to read prompts in chunks of several lengths: `python -m benchmarks.micro.prompts --output FILE`.

Each recipe's bundle reads prompts of several lengths, in chunks and whole, and whole with denormals as the processor
takes them, all in turns in one process, as ratios to the last. Every way must give the same logits, to the last bit.
"""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.full_size import PRESET, THREADS, random_prompt
from benchmarks.in_turns import PAUSE_SECONDS
from benchmarks.recipe_runs import measure_recipes, recipe_options
from benchmarks.results_file import stamp
from biogpt_onnx.runtime.backends.chunks import CHUNK_TOKENS, next_chunk, read_chunk
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.options import LoadOptions
from biogpt_onnx.runtime.ort import denormals

LENGTHS = (128, 256, 512, 900)
CHUNKS = (64, 128, 256, 512)
ROUNDS = 7
_WHOLE = 1024
_SHORT = min(LENGTHS)

Logits = npt.NDArray[np.float32]
Way = Callable[[Sequence[int]], Logits]


def main() -> None:
    """Measures and writes the results."""
    options = recipe_options(__doc__, ROUNDS)
    results = stamp() | {"model": PRESET, "threads": THREADS, "chunk_tokens": CHUNK_TOKENS, "rounds": options.rounds}
    results["denormals_can_be_zeros"] = denormals.CAN_BE_ZEROS
    measure_recipes(options, results, _measured)


def _measured(bundle: Path, rounds: int) -> dict[str, Any]:
    ways = _ways(bundle)
    prompts = {length: _prompt(ways, random_prompt(length), rounds) for length in LENGTHS}
    chosen = {length: prompt["ways"][_chunked(CHUNK_TOKENS)]["seconds"] / length for length, prompt in prompts.items()}
    return {
        "prompts": {str(length): prompt for length, prompt in prompts.items()},
        "seconds_of_a_token": {str(length): seconds for length, seconds in chosen.items()},
        "token_to_that_of_the_shortest": {str(length): each / chosen[_SHORT] for length, each in chosen.items()},
    }


def _ways(bundle: Path) -> Mapping[str, Way]:
    """Returns the ways to read a prompt; the last one is that with which the others are compared."""
    session = _opened(bundle)
    ways: dict[str, Way] = {_chunked(tokens): partial(_read, session, tokens) for tokens in CHUNKS}
    ways["whole"] = partial(_read, session, _WHOLE)
    with _denormals_as_they_are():
        other = _opened(bundle)

    def as_they_are(ids: Sequence[int]) -> Logits:
        with _denormals_as_they_are():
            return _read(other, _WHOLE, ids)

    return ways | {"whole, denormals as they are": as_they_are}


def _chunked(tokens: int) -> str:
    return f"chunks of {tokens}"


def _opened(bundle: Path) -> DecoderSession:
    return DecoderSession(bundle, read_manifest(bundle), LoadOptions(threads=THREADS))


@contextmanager
def _denormals_as_they_are() -> Iterator[None]:
    module = vars(denormals)
    before, module["CAN_BE_ZEROS"] = module["CAN_BE_ZEROS"], False
    try:
        yield
    finally:
        module["CAN_BE_ZEROS"] = before


def _read(session: DecoderSession, most: int, ids: Sequence[int]) -> Logits:
    """Reads a prompt in chunks of at most so many tokens; returns the logits after it."""
    cache, start = session.new_cache(1, len(ids)), 0
    while (chunk := next_chunk(start, len(ids), most)).stop < len(ids):
        read_chunk(session, ids, chunk, cache)
        start = chunk.stop
    return session.forward(np.array([ids[chunk]]), cache)


def _prompt(ways: Mapping[str, Way], ids: Sequence[int], rounds: int) -> dict[str, Any]:
    samples: dict[str, list[float]] = {name: [] for name in ways}
    answers = set[bytes]()
    for number in range(rounds + 1):
        for name, read in ways.items():
            sleep(PAUSE_SECONDS)
            start = perf_counter()
            logits = read(ids)
            if number:  # the first of each warms up
                samples[name].append(perf_counter() - start)
            answers.add(logits.tobytes())
    reference = list(samples.values())[-1]
    found = {
        name: {
            "seconds": statistics.median(seconds),
            "ratio": statistics.median(one / other for one, other in zip(seconds, reference, strict=True)),
            "samples": seconds,
        }
        for name, seconds in samples.items()
    }
    return {"same_to_the_last_bit": len(answers) == 1, "ways": found}


if __name__ == "__main__":
    main()
