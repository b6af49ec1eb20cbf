"""Latency and throughput measures, from the times at which tokens were there."""

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from biogpt_onnx.bench.contender import Contender
from biogpt_onnx.bench.roofline import prefill_operations, step_operations
from biogpt_onnx.bench.scenarios import Scenario
from biogpt_onnx.reporting.percentiles import quantity

TIME_TO_FIRST_TOKEN = "time_to_first_token"  # noqa: S105 -- a token of text
INTER_TOKEN_LATENCY = "inter_token_latency"  # noqa: S105 -- as above
TIME_PER_OUTPUT_TOKEN = "time_per_output_token"  # noqa: S105 -- as above
END_TO_END = "end_to_end"
PREFILL_RATE = "prefill_tokens_per_second"
DECODE_RATE = "decode_tokens_per_second"
COLD_START = "cold_start"

Runs = Sequence[Sequence[float]]
"""The seconds at which the first, second, ... new token was there, of each generation."""


def measures(scenario: Scenario, runs: Runs, first_tokens: Sequence[float] | None = None) -> dict[str, Any]:
    """Computes every measure that the runs give.

    Args:
        scenario: the scenario that was run.
        runs: the seconds of every token of each generation, or of the last token alone where steps cannot be seen.
        first_tokens: in that case, the seconds of as many generations of a single token.

    Returns:
        The fields of a `reporting.percentiles.Quantity` of each measure, by its name, in seconds or tokens a second.
    """
    if scenario.kind == "cold start":
        return _quantities({COLD_START: [[run[-1]] for run in runs]})
    first = [[run[0]] for run in runs] if first_tokens is None else [[seconds] for seconds in first_tokens]
    decode = [[run[-1] - start[0]] for run, start in zip(runs, first, strict=True)]
    found = {
        TIME_TO_FIRST_TOKEN: first,
        END_TO_END: [[run[-1]] for run in runs],
        PREFILL_RATE: _map(first, lambda seconds: scenario.batch_size * scenario.prompt_tokens / seconds),
    }
    steps = scenario.new_tokens - 1
    # A first token that is measured in its own generation may by chance take longer than another whole generation; the
    # time of a step is then unknown.
    if steps and all(seconds[0] > 0 for seconds in decode):
        found[TIME_PER_OUTPUT_TOKEN] = _map(decode, lambda seconds: seconds / steps)
        found[DECODE_RATE] = _map(decode, lambda seconds: scenario.batch_size * steps / seconds)
    if steps and first_tokens is None:
        found[INTER_TOKEN_LATENCY] = [[later - earlier for earlier, later in itertools.pairwise(run)] for run in runs]
    return _quantities(found)


def roofline_times(
    contender: Contender, scenario: Scenario, found: Mapping[str, Any], bandwidth: float, matmul: float
) -> dict[str, float]:
    """Computes the least times by the machine's limits, and the fraction of each limit that was reached.

    The limits are those of the CPU's cores: a contender on a GPU, and a cold start, have none.

    Args:
        contender: the contender that ran.
        scenario: the scenario that was run.
        found: its measures, see `measures`.
        bandwidth: bytes that the machine reads a second.
        matmul: float32 operations that it computes a second. Arithmetic in 8 bits may be faster than this.

    Returns:
        Seconds of step and prefill by bandwidth and by compute, such as "step_bandwidth_seconds", and of those that
        were measured the fraction, such as "step_bandwidth_fraction": 1 is all of the limit.
    """
    if scenario.kind == "cold start" or contender.device != "cpu":
        return {}
    rows = scenario.batch_size * scenario.num_beams
    context = scenario.prompt_tokens + scenario.new_tokens // 2
    reading = contender.step_bytes / bandwidth
    least = {
        "step_bandwidth": reading,
        "step_compute": step_operations(contender.size, rows, context) / matmul,
        "prefill_bandwidth": reading,
        "prefill_compute": prefill_operations(contender.size, scenario.batch_size, scenario.prompt_tokens) / matmul,
    }
    taken = {"step": found.get(TIME_PER_OUTPUT_TOKEN), "prefill": found.get(TIME_TO_FIRST_TOKEN)}
    reached = {
        f"{name}_fraction": seconds / measured["p50"]
        for name, seconds in least.items()
        if (measured := taken[name.partition("_")[0]]) is not None
    }
    return {f"{name}_seconds": seconds for name, seconds in least.items()} | reached


def _quantities(found: Mapping[str, Runs]) -> dict[str, Any]:
    summaries = {name: quantity(runs) for name, runs in found.items()}
    return {name: dataclasses.asdict(summary) for name, summary in summaries.items() if summary is not None}


def _map(runs: Runs, change: Callable[[float], float]) -> Runs:
    return [[change(value) for value in run] for run in runs]
