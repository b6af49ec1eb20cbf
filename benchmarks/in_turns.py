"""Two subjects that are measured in turns in one process, and the ratio of their times."""

import gc
import statistics
from collections.abc import Callable, Mapping
from time import sleep
from typing import Any, TypeVar

T = TypeVar("T")

PAUSE_SECONDS = 0.1
"""Time before each measurement: ONNX Runtime's threads look for work for a while, and would disturb whoever is next."""


def measured_in_turns(
    subjects: Mapping[str, T], measure: Callable[[T], list[float]], rounds: int, *, ours: str, theirs: str
) -> dict[str, Any]:
    """Measures subjects in turns, after a round that warms up.

    Args:
        subjects: by name.
        measure: returns seconds, one or more.
        rounds: samples of each subject.
        ours: name of the subject whose times are the numerators.
        theirs: name of that whose times are the denominators.

    Returns:
        `seconds` (median of each), `ratio` (median over the rounds), `ratios` and `samples`.
    """
    samples: dict[str, list[list[float]]] = {name: [] for name in subjects}
    for number in range(rounds + 1):
        # In changing order, because the first may find another processor cache than the second.
        for name in sorted(subjects, reverse=number % 2 == 1):
            sleep(PAUSE_SECONDS)
            seconds = measure(subjects[name])
            gc.collect()
            if number:
                samples[name].append(seconds)
    medians = {name: [statistics.median(each) for each in found] for name, found in samples.items()}
    ratios = [one / other for one, other in zip(medians[ours], medians[theirs], strict=True)]
    return {
        "seconds": {name: statistics.median(each) for name, each in medians.items()},
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "samples": samples,
    }
