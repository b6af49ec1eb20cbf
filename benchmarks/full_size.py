"""Settings that all measurements at BioGPT's full size share: the weights, the threads and random prompts."""

import numpy as np

PRESET = "preset:biogpt"
"""Random weights of BioGPT's size; speed does not depend on their values."""

THREADS = 2

_START_ID = 2
_WORD_IDS = (4, 42_000)


def random_prompt(tokens: int, seed: int = 0) -> list[int]:
    """Returns a start token and random words, so many tokens in all; equal seeds give equal prompts."""
    return [_START_ID, *np.random.default_rng(seed).integers(*_WORD_IDS, tokens - 1).tolist()]
