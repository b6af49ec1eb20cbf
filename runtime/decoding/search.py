"""The search that a configuration asks for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from biogpt_onnx.runtime.backends.protocol import DeviceModel, SearchModel, TreeModel
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.selection.token_selection import NextTokenSelector
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.decoding.strategies.beam_rows import beam_search_in_rows
from biogpt_onnx.runtime.decoding.strategies.beam_search import beam_search
from biogpt_onnx.runtime.decoding.strategies.speculative import draft_search
from biogpt_onnx.runtime.decoding.strategies.stepwise import stepwise_search

_MOST_BEAM_ROWS = 64
"""Beams of several prompts that are taken together: each needs memory for a whole sequence, and once more to part."""


@dataclass
class Request:
    """A prompt to be continued, and what came of it.

    Attributes:
        states: the sequences to continue: one, or as many as samples are wanted. With beams, replaced by those found.
        prefill: seconds until the first token.
        decode: seconds after it.
        steps: passes of the model after the first token.
        captured_steps: those of them that were replayed as a whole; see `DeviceSession`.
    """

    states: list[SequenceState]
    prefill: float = 0.0
    decode: float = 0.0
    steps: int = 0
    captured_steps: int = 0


def run_search(
    model: SearchModel, requests: Sequence[Request], config: GenerationConfig, limits: Limits
) -> Iterator[None]:
    """Continues every request's sequences; yields after each pass of the model, and fills in what came of it.

    Greedy search and sampling take all rows together through each step. Drafts, and beams on a CPU, put several tokens
    of one prompt into a step, which ONNX Runtime's attention takes for one prompt at a time only: there the prompts are
    done one after the other. On a device each beam has a row of its own, and the beams of several prompts are taken
    together.

    Raises:
        ConfigError: the rules exclude every token.
    """
    if config.num_beams == 1 and config.prompt_lookup_num_tokens == 0:
        yield from _timed(_stepwise(model, requests, config, limits), model, requests)
    elif config.num_beams == 1:
        for request in requests:
            yield from _timed(_drafts(model, request, config, limits), model, [request])
    elif isinstance(model, DeviceModel):
        at_once = max(1, _MOST_BEAM_ROWS // config.num_beams)
        for first in range(0, len(requests), at_once):
            together = requests[first : first + at_once]
            yield from _timed(_beams_in_rows(model, together, config, limits), model, together)
    else:
        for request in requests:
            yield from _timed(_beams(model, request, config, limits), model, [request])


def _stepwise(
    model: SearchModel, requests: Sequence[Request], config: GenerationConfig, limits: Limits
) -> Iterator[None]:
    states = [state for request in requests for state in request.states if state.finish_reason is None]
    if states:
        yield from stepwise_search(model, states, NextTokenSelector(config), limits)


def _drafts(model: SearchModel, request: Request, config: GenerationConfig, limits: Limits) -> Iterator[None]:
    (state,) = request.states
    if state.finish_reason is None:
        yield from draft_search(model, state, config, limits)


def _beams(model: TreeModel[Any], request: Request, config: GenerationConfig, limits: Limits) -> Iterator[None]:
    (state,) = request.states
    if state.finish_reason is not None:
        return
    for found in beam_search(model, state, config, limits):
        request.states = list(found[: config.num_return_sequences])
        yield


def _beams_in_rows(
    model: DeviceModel[Any], requests: Sequence[Request], config: GenerationConfig, limits: Limits
) -> Iterator[None]:
    unfinished = [request for request in requests if request.states[0].finish_reason is None]
    if unfinished:
        for found in beam_search_in_rows(model, [request.states[0] for request in unfinished], config, limits):
            for request, sequences in zip(unfinished, found, strict=True):
                request.states = list(sequences[: config.num_return_sequences])
            yield


def _timed(search: Iterator[None], model: SearchModel, requests: Sequence[Request]) -> Iterator[None]:
    start, captured = perf_counter(), _captured_steps(model)
    first_token = 0.0
    for number, _ in enumerate(search):
        now = perf_counter()
        if number == 0:
            first_token = now
        for request in requests:
            request.prefill, request.decode, request.steps = first_token - start, now - first_token, number
            request.captured_steps = _captured_steps(model) - captured
        yield


def _captured_steps(model: SearchModel) -> int:
    # Only a model on a device counts them.
    return int(getattr(model, "captured_steps", 0))
