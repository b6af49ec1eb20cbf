"""How a series of samples grows, and what is too much."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

WARM_SHARE = 0.2
MOST_GROWTH = 0.03
"""Share of its memory by which a process may grow behind the first fifth."""
MOST_THREADS = 4
"""Threads by which it may grow then: those of its pools that are started when they are first needed."""
LEAST_SAMPLES = 20

Sample = Mapping[str, Any]


def growth_of(samples: Sequence[Sample]) -> dict[str, float]:
    """Returns how a process has grown behind the first fifth of its samples.

    Args:
        samples: at least `LEAST_SAMPLES`, each with `seconds`, `resident_bytes`, `threads`, `open_files`, `files`.

    Returns:
        `resident_bytes` at the beginning and `resident_share`, what a straight line by least squares adds to them until
        the end; of the others, the difference of the medians of the first and the last tenth, because a file that is
        being written is there for a moment.
    """
    counted = samples[int(len(samples) * WARM_SHARE) :]
    times = np.array([sample["seconds"] for sample in counted])
    resident = np.array([sample["resident_bytes"] for sample in counted])
    slope, start = (float(each) for each in np.polyfit(times - times[0], resident, 1))
    tenth = max(1, len(counted) // 10)
    return {
        "resident_bytes": start,
        "resident_share": slope * float(np.ptp(times)) / start,
        **{
            name: median(each[name] for each in counted[-tenth:]) - median(each[name] for each in counted[:tenth])
            for name in ("threads", "open_files", "files")
        },
    }


def checks_of(samples: Sequence[Sample], growth: Mapping[str, float]) -> dict[str, bool]:
    """Returns what has held of a job, by what must hold.

    Args:
        samples: of its process; those of a loop have `rounds` and `different`.
        growth: see `growth_of`.
    """
    held = {
        "memory_is_flat": growth["resident_share"] <= MOST_GROWTH,
        "threads_do_not_grow": growth["threads"] <= MOST_THREADS,
        "open_files_do_not_grow": growth["open_files"] <= 0,
        "temporary_files_do_not_grow": growth["files"] <= 0,
    }
    last = samples[-1]
    if "rounds" in last:
        held["every_round_had_the_same_result"] = last["rounds"] > 1 and last["different"] == 0
    return held
