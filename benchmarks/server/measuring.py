"""The measurements of single parts, each of one running server."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from benchmarks.server.contenders import Contender
from benchmarks.server.loading.load import Load
from benchmarks.server.loading.summary import percentiles, summarize, summarize_arrivals
from benchmarks.server.loading.workload import KINDS
from benchmarks.server.parts import Part
from biogpt_onnx.bench.measuring.process import PinnedProcess

_READING_ROUNDS = 4
_TOKENS_BEFORE = 24
_SHORT_TURNS = 3
_LONG_TURNS = 3
_ONE_BY_ONE = 3
_BATCHES = 2


@dataclass(frozen=True)
class Times:
    """How long loads last.

    Attributes:
        warm_seconds: before anything counts.
        seconds: of a closed loop that count.
        open_seconds: in which requests of an open loop arrive that count.
        patience_seconds: how long an open loop waits for those.
    """

    warm_seconds: float
    seconds: float
    open_seconds: float
    patience_seconds: float


def measure_load(contender: Contender, part: Part, times: Times) -> dict[str, Any]:
    """Returns what a server does under a closed or an open loop, and what it and its client use."""
    if part.measure == "closed":
        load = Load(part.kind, times.warm_seconds, times.seconds, clients=part.level, seed=part.number)
        summary = summarize
    else:
        load = Load(
            part.kind,
            times.warm_seconds,
            times.open_seconds,
            per_minute=part.level,
            patience_seconds=times.patience_seconds,
            seed=part.number,
        )
        summary = summarize_arrivals
    before = contender.usage()
    seen = contender.load(load)
    after = contender.usage()
    return {
        **asdict(part),
        "load": asdict(load),
        **summary(seen["requests"], load.warm_seconds, load.warm_seconds + load.seconds),
        # A library is driven from its own process, whose time cannot be divided.
        "client_cpu_seconds": seen["client_cpu_seconds"] if contender.server.ready is not None else None,
        "server_cpu_seconds": after["cpu_seconds"] - before["cpu_seconds"],
        "resident_bytes": after["resident_bytes"],
        "peak_resident_bytes": after["peak_resident_bytes"],
    }


def measure_reading(contender: Contender, part: Part) -> dict[str, Any]:
    """Returns the times between tokens alone, and while a prompt of 512 tokens is read."""
    contender.beside_reading(part.level, 1, _TOKENS_BEFORE)
    found = contender.beside_reading(part.level, _READING_ROUNDS, _TOKENS_BEFORE)
    alone, reading = percentiles(found["alone"]), percentiles(found["reading"])
    ordinary = alone["p50"]
    ratios = {
        name: value / ordinary if value and ordinary else None for name, value in reading.items() if name != "count"
    }
    return {**asdict(part), "alone": alone, "reading": reading, "to_ordinary": ratios}


def measure_cost(contender: Contender, runtime: PinnedProcess, part: Part) -> dict[str, Any]:
    """Returns what our server costs beside the runtime, and what several rows can bring at most.

    The server and the runtime write the same texts: the server for as many clients as it has rows, the runtime for as
    many callers in its own process, and in one call. The bound on tokens a second is that of a prompt read alone and of
    a row's share of a step of all rows.

    Args:
        contender: our server.
        runtime: the process of `in_process`, halted.
        part: its level is the number of rows.
    """
    rows, kind = part.level, part.kind
    new_tokens = KINDS[kind].new_tokens[1]
    count = rows * _BATCHES

    def write(count: int, new_tokens: int | None = None, *, together: bool = True) -> float:
        request = {"kind": kind, "count": count, "new_tokens": new_tokens, "together": together}
        return float(runtime.ask({"texts": request})["seconds"])

    def called() -> float:
        return float(runtime.ask({"called": {"kind": kind, "count": count, "callers": rows}})["seconds"])

    def served() -> float:
        contender.resume()
        try:
            return contender.all_of(kind, count, rows)
        finally:
            contender.halt()

    contender.halt()
    runtime.resume()
    try:
        write(rows, 2)
        samples: Mapping[str, list[float]] = {
            "prefill": [write(1, 1) for _ in range(_SHORT_TURNS)],
            "rows_read": [write(rows, 1) for _ in range(_SHORT_TURNS)],
            "rows_written": [write(rows) for _ in range(_SHORT_TURNS)],
            **_in_turns(
                {
                    "one_after_the_other": lambda: write(_ONE_BY_ONE, together=False),
                    "one_call": lambda: write(count),
                    "called": called,
                    "served": lambda: _halted(runtime, served),
                }
            ),
        }
    finally:
        runtime.halt()
        contender.resume()
    middle = {name: median(values) for name, values in samples.items()}
    step = (middle["rows_written"] - middle["rows_read"]) / (new_tokens - 1)
    bound = new_tokens / (middle["prefill"] + (new_tokens - 1) * step / rows)
    one_by_one = _ONE_BY_ONE * new_tokens / middle["one_after_the_other"]
    return {
        **asdict(part),
        "texts": count,
        "prefill_seconds": middle["prefill"],
        "step_of_rows_seconds": step,
        "bound_tokens_per_second": bound,
        "one_after_the_other_tokens_per_second": one_by_one,
        "one_call_tokens_per_second": count * new_tokens / middle["one_call"],
        "called_tokens_per_second": count * new_tokens / middle["called"],
        "served_tokens_per_second": count * new_tokens / middle["served"],
        "served_to_called_seconds": middle["served"] / middle["called"],
        "samples": samples,
    }


def _in_turns(ways: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _, name in itertools.product(range(_LONG_TURNS), ways):
        found[name].append(ways[name]())
    return found


def _halted(process: PinnedProcess, call: Callable[[], float]) -> float:
    process.halt()
    try:
        return call()
    finally:
        process.resume()
