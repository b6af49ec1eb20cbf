"""Cost of logits processors and of the choice of a token, all at once, at the size of BioGPT's vocabulary."""

import statistics
from collections.abc import Mapping
from time import perf_counter

import numpy as np

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.processors import processors_for
from biogpt_onnx.runtime.decoding.selection.sampler import generators
from biogpt_onnx.runtime.decoding.selection.token_selection import NextTokenSelector
from biogpt_onnx.runtime.decoding.state import SequenceState

VOCAB_SIZE = 42_384
PROMPT_TOKENS = 300
ROUNDS = 200

EVERYTHING = GenerationConfig(
    max_new_tokens=64,
    min_new_tokens=8,
    do_sample=True,
    seed=0,
    temperature=0.8,
    top_k=5_000,
    top_p=0.98,
    min_p=1e-5,
    typical_p=0.97,
    epsilon_cutoff=1e-6,
    eta_cutoff=1e-6,
    repetition_penalty=1.2,
    no_repeat_ngram_size=3,
    bad_words_ids=[[10, 11], [12]],
    sequence_bias={(20, 21): 1.5, (22,): -2.0},
    suppress_tokens=[30, 31],
    begin_suppress_tokens=[32],
    forced_eos_token_id=2,
)


def measure(greedy_step_seconds: float) -> Mapping[str, object]:
    """Measures each processor, and all of them together with the choice, on one row of logits.

    Args:
        greedy_step_seconds: a step of greedy search, to which the whole is compared.

    Returns:
        Median milliseconds, and the share of a greedy step.
    """
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 3, (ROUNDS, 1, VOCAB_SIZE)).astype(np.float32)
    state = SequenceState(tuple(generator.integers(4, 42_000, PROMPT_TOKENS).tolist()), 64, random=generators(0, 1)[0])
    processors = processors_for(EVERYTHING)
    seconds: dict[str, list[float]] = {type(processor).__name__: [] for processor in processors}
    for row in logits:
        changed = row.copy()
        for processor in processors:
            start = perf_counter()
            processor([state], changed)
            seconds[type(processor).__name__].append(perf_counter() - start)
    together, plain = (_choice_seconds(config, state, logits) for config in (EVERYTHING, GenerationConfig()))
    return {
        "rounds": ROUNDS,
        "milliseconds": {name: 1e3 * statistics.median(values) for name, values in seconds.items()},
        "all_with_choice_milliseconds": 1e3 * together,
        "greedy_choice_milliseconds": 1e3 * plain,
        "all_to_greedy_step": together / greedy_step_seconds,
    }


def _choice_seconds(config: GenerationConfig, state: SequenceState, logits: np.ndarray) -> float:
    selector, seconds = NextTokenSelector(config), []
    for row in logits:
        changed = row.copy()
        start = perf_counter()
        selector.select([state], changed)
        seconds.append(perf_counter() - start)
    return statistics.median(seconds)
