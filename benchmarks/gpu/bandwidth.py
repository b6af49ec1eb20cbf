"""Speed at which a card's memory is read and copied.

Run as `python -m benchmarks.gpu.bandwidth DEVICE`: a process of its own, so that torch holds none of the card's memory
afterwards. Its first line is the result.
"""

import statistics
import sys
from collections.abc import Mapping
from functools import partial
from time import perf_counter
from typing import Any

from benchmarks.gpu.parts import Clock, Found
from benchmarks.serving import Handlers, serve

_REPEATS = 30
# Many times what a card's or a processor's cache holds.
_BYTES = {"cuda": 4 * 2**30, "cpu": 2**28}


def measure(device: str, clock: Clock) -> Found:
    """Measures bytes per second, read and written ones together; null where torch does not have the device.

    Raises:
        ContenderError: the process failed, or took more time than is left.
    """
    from benchmarks.processes import started

    with started("gpu.bandwidth", device, patience=max(1.0, clock.left)) as process:
        return process.hello


def _load(device: str) -> tuple[Mapping[str, object], Handlers]:
    return _measured(device), {}


def _measured(device: str) -> Found:
    try:
        import torch
    except ImportError as error:
        return {"bytes_per_second": None, "reason": f"torch cannot be imported: {error}"}
    if device == "cuda" and not torch.cuda.is_available():
        return {"bytes_per_second": None, "reason": f"torch {torch.__version__} finds no CUDA"}
    source = torch.zeros(_BYTES[device] // 4, dtype=torch.float32, device=device)
    target = torch.empty_like(source)
    ways = {
        "reading": _rate(torch, device, source.sum, source.nbytes),
        "copying": _rate(torch, device, lambda: target.copy_(source), 2 * source.nbytes),
    }
    # A floor is what nothing goes below: the faster of the two makes it.
    return {"bytes_per_second": max(way["bytes_per_second"] for way in ways.values()), **ways}


def _rate(torch: Any, device: str, move: Any, num_bytes: int) -> Found:  # noqa: ANN401 -- imported where it is measured
    seconds = []
    for number in range(_REPEATS + 3):
        start = perf_counter()
        move()
        if device == "cuda":
            torch.cuda.synchronize()
        # The first ones compile, take memory and wake the card.
        if number >= 3:  # noqa: PLR2004 -- said above
            seconds.append(round(perf_counter() - start, 7))
    return {"bytes": num_bytes, "bytes_per_second": num_bytes / statistics.median(seconds), "samples": seconds}


if __name__ == "__main__":
    serve(partial(_load, *sys.argv[1:]))
