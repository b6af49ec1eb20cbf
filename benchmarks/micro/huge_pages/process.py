"""A loaded bundle whose passes are timed, with its weights in huge pages or in those that the system gives.

Run as `python -m benchmarks.micro.huge_pages.process BUNDLE THREADS huge|small`. The first line says how long loading
took, how long the move went on behind it, and the bytes in huge pages. Requests are
`{"read": {"tokens": n, "times": m}}` and `{"step": {"rows": n, "tokens": before, "times": m}}`, each answered by
`{"seconds": [...]}`.
"""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.full_size import random_prompt
from benchmarks.serving import Handlers, serve

_MEMORY = Path("/proc/self/smaps_rollup")


def _load(bundle: str, threads: str, pages: str) -> tuple[Mapping[str, object], Handlers]:
    from biogpt_onnx.runtime.backends.cpu.huge_pages import DELAY_SECONDS, wait_for_moves
    from biogpt_onnx.runtime.backends.registry import open_backend
    from biogpt_onnx.runtime.bundle import read_manifest
    from biogpt_onnx.runtime.decoding.limits import Limits
    from biogpt_onnx.runtime.options import LoadOptions

    folder, start = Path(bundle), perf_counter()
    options = LoadOptions(device="cpu", threads=int(threads), huge_pages=pages == "huge")
    backend = open_backend(folder, read_manifest(folder), options)
    loaded = perf_counter()
    wait_for_moves()
    moved = perf_counter() - (DELAY_SECONDS if options.huge_pages else 0)

    def read(tokens: int, times: int) -> Mapping[str, object]:
        ids, cache = random_prompt(tokens), backend.new_cache(1, tokens)

        def one_pass() -> None:
            cache.truncate(0)
            backend.read(ids, cache, Limits())

        return {"seconds": _timed(one_pass, times)}

    def step(rows: int, tokens: int, times: int) -> Mapping[str, object]:
        cache = backend.new_cache(rows, tokens + 1)
        backend.read(random_prompt(tokens), cache.row(0), Limits())
        cache.end_reading()
        for row in range(1, rows):
            cache.row(row).copy_from(cache.row(0), tokens)
        ids = np.full((rows, 1), 4)

        def one_pass() -> None:
            cache.truncate(tokens)
            backend.step(ids, cache)

        return {"seconds": _timed(one_pass, times)}

    first = {"load_seconds": loaded - start, "move_seconds": moved - loaded, "huge_bytes": _huge_bytes()}
    return first, {"read": read, "step": step}


def _timed(one_pass: Callable[[], None], times: int) -> list[float]:
    """Returns the seconds of passes behind one that warms up."""
    one_pass()
    seconds = []
    for _ in range(times):
        start = perf_counter()
        one_pass()
        seconds.append(perf_counter() - start)
    return seconds


def _huge_bytes() -> int:
    lines = _MEMORY.read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("AnonHugePages:"))


if __name__ == "__main__":
    serve(partial(_load, *sys.argv[1:]))
