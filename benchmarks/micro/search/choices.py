"""Savings of choices and prefixes: several labels behind one long prompt, at BioGPT's full size."""

import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter

import numpy as np

from biogpt_onnx.runtime.backends.cpu.backend import CpuBackend
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.strategies.continuation_scoring import choices_after_each

PROMPT_TOKENS = 280
CHOICES = 11
CHOICE_TOKENS = 4
ROUNDS = 3


def measure(bundle: Path) -> Mapping[str, object]:
    """Measures scoring all choices: each alone, sharing the prompt, and behind a prefix that has been read.

    Args:
        bundle: of BioGPT's size.

    Returns:
        Median seconds of each way, their ratios, and the samples.
    """
    backend = CpuBackend(DecoderSession(bundle, read_manifest(bundle)))
    generator = np.random.default_rng(0)
    prompt = (2, *generator.integers(4, 42_000, PROMPT_TOKENS - 1).tolist())
    choices = [tuple(row) for row in generator.integers(4, 42_000, (CHOICES, CHOICE_TOKENS)).tolist()]
    texts = [str(number) for number in range(CHOICES)]
    prefix = Prefix(backend, prompt)
    ways: dict[str, Callable[[], object]] = {
        "each_alone": lambda: [list(backend.score_tokens(prompt, None, choice)) for choice in choices],
        "shared_prompt": lambda: choices_after_each(backend, [(prompt, None)], texts, choices),
        "prefix": lambda: choices_after_each(backend, [(prompt, prefix)], texts, choices),
    }
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(ROUNDS + 1):
        for name, way in ways.items():
            start = perf_counter()
            way()
            if number:  # the first round warms up
                samples[name].append(perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in samples.items()}
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "choices": CHOICES,
        "choice_tokens": CHOICE_TOKENS,
        "rounds": ROUNDS,
        "seconds": medians,
        "shared_to_alone": medians["shared_prompt"] / medians["each_alone"],
        "prefix_to_alone": medians["prefix"] / medians["each_alone"],
        "samples": samples,
    }
