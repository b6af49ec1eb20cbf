"""Groups of prompts that are read in one pass, on a device where a pass takes time whatever it computes."""

from collections.abc import Sequence

import numpy as np

_TOKENS_OF_A_PASS = 2_048
"""Approximate number of tokens that a card computes in the time that a pass takes for its many small operators.
Estimated, not measured: a pass of BioGPT has 270 operators at some microseconds each, and a card of the H100's kind
computes half a petaflop a second."""

_MOST_TOKENS = 16_384
"""Most tokens of a pass, including padding. Each takes some 40 kB of memory in BioGPT, in addition to its cache."""


def prompt_groups(lengths: Sequence[int], most_tokens: int = _MOST_TOKENS) -> list[list[int]]:
    """Divides prompts into passes, each padded to its longest.

    Args:
        lengths: number of tokens of each prompt.
        most_tokens: most tokens of a pass, including padding, unless a single prompt has more.

    Returns:
        Numbers of the prompts of each pass; the longest first, prompts of equal length in their order.
    """
    groups: list[list[int]] = []
    for number in np.argsort([-length for length in lengths], kind="stable").tolist():
        if groups and _fits([lengths[other] for other in groups[-1]], lengths[number], most_tokens):
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def _fits(group: Sequence[int], length: int, most_tokens: int) -> bool:
    """Returns True if a prompt of so many tokens may join a group, whose first prompt is its longest."""
    computed = (len(group) + 1) * group[0]
    padding = computed - sum(group) - length
    return computed <= most_tokens and padding <= _TOKENS_OF_A_PASS
