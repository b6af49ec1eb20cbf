"""Beam search over rows: each beam has a row of the cache for itself, which is copied where beams part.

For models on a device, where a step of many rows is about as fast as one of few. The beams of several prompts go on
together.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TypeVar

import numpy as np

from biogpt_onnx.runtime.backends.protocol import Cache, DeviceModel
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Interrupted, Limits
from biogpt_onnx.runtime.decoding.reading import read_together
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.decoding.strategies.beam_state import BeamState

CacheT = TypeVar("CacheT", bound=Cache)


def beam_search_in_rows(
    model: DeviceModel[CacheT], prompts: Sequence[SequenceState], config: GenerationConfig, limits: Limits
) -> Iterator[list[Sequence[SequenceState]]]:
    """Finds the likeliest continuations of each prompt; yields after each step each one's finished ones, best first.

    They are those that `beam_search` finds for each alone, whose arguments these are.

    Raises:
        ConfigError: the rules exclude every token.
    """
    searches = [BeamState(prompt, config) for prompt in prompts]
    try:
        cache, following = read_together(model, prompts, limits)
        for row, beams in enumerate(searches):
            beams.advance(following[row : row + 1])
        yield [beams.finished.best_first for beams in searches]
        starts = dict(enumerate(range(len(searches))))  # where each prompt's rows begin
        while going_on := [number for number, beams in enumerate(searches) if beams.go_on()]:
            limits.check()
            running = [searches[number] for number in going_on]
            rows = [starts[number] + parent for number in going_on for parent in searches[number].parents]
            cache = model.with_rows(cache, rows)
            ends = list(accumulate(len(beams.parents) for beams in running))
            starts = dict(zip(going_on, [0, *ends[:-1]], strict=True))
            _advance(
                model, cache, running, [slice(starts[number], end) for number, end in zip(going_on, ends, strict=True)]
            )
            yield [beams.finished.best_first for beams in searches]
    except Interrupted as interruption:
        for beams in searches:
            if beams.go_on():
                beams.end(interruption.reason)
        yield [beams.finished.best_first for beams in searches]


def _advance(model: DeviceModel[CacheT], cache: CacheT, searches: Sequence[BeamState], places: Sequence[slice]) -> None:
    """Has the last token of each beam read, and each search go on by what comes after its own, at these rows."""
    tokens = np.array([token for beams in searches for token in beams.last_tokens], dtype=np.int64)[:, None]
    following = model.step(tokens, cache)
    for beams, rows in zip(searches, places, strict=True):
        beams.advance(following[rows])
