"""Greedy search: at each step the most likely token, for every sequence of a batch."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.model import Cache, DecoderModel
from biogpt_onnx.runtime.decoding.prefill import prefill
from biogpt_onnx.runtime.decoding.processors import processors_for
from biogpt_onnx.runtime.decoding.sampler import log_probabilities, most_likely
from biogpt_onnx.runtime.decoding.state import FinishReason, SequenceState

StopCheck = Callable[[int], bool]
"""Told of each token of one sequence but the end-of-sequence token; True ends the sequence."""

CacheT = TypeVar("CacheT", bound=Cache)


def greedy_search(
    model: DecoderModel[CacheT],
    states: Sequence[SequenceState],
    config: GenerationConfig,
    stop_checks: Sequence[StopCheck] | None = None,
) -> Iterator[None]:
    """Continues each sequence in its state; yields after every token that the unfinished sequences were given.

    Prompts are read one by one, because rows of different lengths would be padded to the longest otherwise, and because
    a row computed alone does not depend on its neighbours. A row that ends leaves the batch.

    Args:
        model: the model.
        states: the sequences; their `token_ids`, `score` and `finish_reason` are filled in.
        config: see `GenerationConfig`.
        stop_checks: one for each sequence.
    """
    processors = processors_for(config)
    capacity = max(len(state.prompt_ids) + state.max_new_tokens - 1 for state in states)
    cache = model.new_cache(len(states), capacity)
    logits = np.concatenate([prefill(model, state.prompt_ids, cache.row(row)) for row, state in enumerate(states)])
    active = list(zip(states, stop_checks or [_never] * len(states), strict=True))
    while True:
        for process in processors:
            process([state for state, _ in active], logits)
        tokens = most_likely(logits)
        scores = log_probabilities(logits, tokens)
        for (state, stop_check), token, score in zip(active, tokens.tolist(), scores.tolist(), strict=True):
            state.token_ids.append(token)
            state.score += score
            state.finish_reason = _finish_reason(state, config.eos_token_id, stop_check)
        yield
        unfinished = [row for row, (state, _) in enumerate(active) if state.finish_reason is None]
        if not unfinished:
            return
        if len(unfinished) < len(active):
            cache = cache.keep(unfinished)
            active = [active[row] for row in unfinished]
        logits = model.forward(tokens[unfinished, None], cache)


def _finish_reason(state: SequenceState, eos_token_id: int | None, stop_check: StopCheck) -> FinishReason | None:
    if state.token_ids[-1] == eos_token_id:
        return "eos"
    if stop_check(state.token_ids[-1]):
        return "stop"
    return "length" if len(state.token_ids) == state.max_new_tokens else None


def _never(_token: int) -> bool:
    return False
