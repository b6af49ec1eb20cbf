"""Beam search: the most likely continuations of prompts, followed side by side."""

from collections.abc import Generator, Sequence
from itertools import accumulate

from biogpt_onnx.runtime.backends.protocol import Backend, CacheT
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Interrupted, Limits
from biogpt_onnx.runtime.decoding.request import StepStatistics
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.decoding.strategies.beam_state import BeamState


def beam_search(
    backend: Backend[CacheT], prompts: Sequence[SequenceState], config: GenerationConfig, limits: Limits
) -> Generator[list[Sequence[SequenceState]], None, StepStatistics]:
    """Finds the most likely continuations of each prompt.

    Args:
        backend: the backend that runs the model.
        prompts: sequences to continue, at most `backend.max_beam_prompts`; they are not changed.
        config: number of beams, rules, and condition for stopping.
        limits: limits; when one is reached, the running beams end as they are.

    Yields:
        After each pass, the finished sequences of each prompt, best first. The last are the answer: at least one for
        each prompt, and `config.num_beams` unless the rules allow fewer. Their scores are log-probabilities divided by
        length ** `config.length_penalty`.

    Returns:
        Counts of the passes that the search took.

    Raises:
        ConfigError: the rules exclude every token.
    """
    searches = [BeamState(prompt, config) for prompt in prompts]
    statistics = StepStatistics()
    try:
        with backend.beams(prompts, config.num_beams, limits) as (beams, first_scores):
            for number, search in enumerate(searches):
                search.advance(first_scores[number : number + 1])
            yield [search.finished.best_first for search in searches]
            first_beams = {number: number for number in range(len(searches))}
            while running := [number for number, search in enumerate(searches) if search.go_on()]:
                limits.check()
                parents = [first_beams[number] + parent for number in running for parent in searches[number].parents]
                tokens = [token for number in running for token in searches[number].last_tokens]
                scores = beams.step(parents, tokens)
                statistics = statistics.after(is_captured=scores.is_captured)
                ends = list(accumulate(len(searches[number].parents) for number in running))
                first_beams = dict(zip(running, [0, *ends[:-1]], strict=True))
                for number, end in zip(running, ends, strict=True):
                    searches[number].advance(scores[first_beams[number] : end])
                yield [search.finished.best_first for search in searches]
    except Interrupted as interruption:
        for search in searches:
            if search.go_on():
                search.end(interruption.reason)
        yield [search.finished.best_first for search in searches]
    return statistics
