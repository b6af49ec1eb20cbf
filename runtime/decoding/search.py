"""The search for continuations by the strategy that a configuration selects."""

from collections.abc import Generator, Iterator, Sequence
from time import perf_counter
from typing import Any

from biogpt_onnx.runtime.backends.protocol import Backend
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.request import Request, StepStatistics
from biogpt_onnx.runtime.decoding.selection.token_selection import NextTokenSelector
from biogpt_onnx.runtime.decoding.strategies.stepwise import stepwise_search

_Search = Generator[None, None, StepStatistics]


def run_search(
    backend: Backend[Any], requests: Sequence[Request], config: GenerationConfig, limits: Limits
) -> Iterator[None]:
    """Continues every request's sequences; yields after each pass of the model, and records its results in the request.

    It yields once more when some requests are answered before others begin, so that a stream need not wait for these.

    Greedy search and sampling take all rows together through each step. Speculative decoding verifies the draft of one
    prompt at a time. With beams, as many prompts are searched together as the backend allows.

    Raises:
        ConfigError: the rules exclude every token.
    """
    if config.num_beams > 1:
        together = backend.max_beam_prompts(config.num_beams)
        for first in range(0, len(requests), together):
            if first:
                yield
            group = requests[first : first + together]
            yield from _timed(_beams(backend, group, config, limits), group)
    elif config.prompt_lookup_num_tokens:
        for number, request in enumerate(requests):
            if number:
                yield
            yield from _timed(_speculative(backend, request, config, limits), [request])
    else:
        yield from _timed(_stepwise(backend, requests, config, limits), requests)


def _stepwise(backend: Backend[Any], requests: Sequence[Request], config: GenerationConfig, limits: Limits) -> _Search:
    states = [state for request in requests for state in request.states if state.finish_reason is None]
    if not states:
        return StepStatistics()
    return (yield from stepwise_search(backend, states, NextTokenSelector(config), limits))


def _speculative(backend: Backend[Any], request: Request, config: GenerationConfig, limits: Limits) -> _Search:
    (state,) = request.states
    if state.finish_reason is not None:
        return StepStatistics()
    from biogpt_onnx.runtime.decoding.strategies.speculative import (  # noqa: PLC0415 -- not part of every start-up
        speculative_search,
    )

    return (yield from speculative_search(backend, state, config, limits))


def _beams(backend: Backend[Any], requests: Sequence[Request], config: GenerationConfig, limits: Limits) -> _Search:
    unfinished = [request for request in requests if request.states[0].finish_reason is None]
    if not unfinished:
        return StepStatistics()
    from biogpt_onnx.runtime.decoding.strategies.beam_search import beam_search  # noqa: PLC0415 -- see above

    search = beam_search(backend, [request.states[0] for request in unfinished], config, limits)
    while True:
        try:
            found = next(search)
        except StopIteration as end:
            statistics: StepStatistics = end.value
            return statistics
        for request, sequences in zip(unfinished, found, strict=True):
            request.states = list(sequences[: config.num_return_sequences])
        yield


def _timed(search: _Search, requests: Sequence[Request]) -> Iterator[None]:
    start = first_token = perf_counter()
    steps = -1  # the pass that gives the first token is not counted
    while True:
        try:
            next(search)
        except StopIteration as end:
            for request in requests:
                request.captured_steps = end.value.captured_steps
                request.has_ended = True
            return
        now, steps = perf_counter(), steps + 1
        if steps == 0:
            first_token = now
        for request in requests:
            request.prefill, request.decode, request.steps = first_token - start, now - first_token, steps
        yield
