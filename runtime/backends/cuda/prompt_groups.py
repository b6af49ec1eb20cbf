"""Which prompts of a batch are read together, where a pass costs time whatever it computes."""

from collections.abc import Sequence

import numpy as np

_TOKENS_OF_A_PASS = 2_048
"""About so many tokens a card computes in the time that a pass takes for its many small operators. Estimated, not
measured: a pass of BioGPT has 270 of them at some microseconds each, and a card of the H100's kind computes half a
petaflop a second."""

_MOST_TOKENS = 16_384
"""In one pass, padding included. Each takes some 40 kB of memory in BioGPT, besides what the cache has for it."""


def prompt_groups(lengths: Sequence[int], most_tokens: int = _MOST_TOKENS) -> list[list[int]]:
    """Divides prompts into passes, each padded to its longest.

    Args:
        lengths: tokens of each prompt.
        most_tokens: in one pass, padding included, unless a single prompt has more.

    Returns:
        The prompts' numbers, those of a pass together; the longest first, then in their order.
    """
    groups: list[list[int]] = []
    for number in np.argsort([-length for length in lengths], kind="stable").tolist():
        if groups and _fits([lengths[other] for other in groups[-1]], lengths[number], most_tokens):
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def _fits(group: Sequence[int], length: int, most_tokens: int) -> bool:
    """Whether a prompt of so many tokens may go with these, of which the first is the longest."""
    computed = (len(group) + 1) * group[0]
    padding = computed - sum(group) - length
    return computed <= most_tokens and padding <= _TOKENS_OF_A_PASS
