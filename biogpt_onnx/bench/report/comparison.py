"""Comparison of our best contender with the peers' best, in every scenario."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from biogpt_onnx.bench.contender import OURS
from biogpt_onnx.bench.measuring.measures import COLD_START, END_TO_END, TIME_PER_OUTPUT_TOKEN, TIME_TO_FIRST_TOKEN
from biogpt_onnx.bench.report.row_values import cells, measured, name_of
from biogpt_onnx.bench.rows import Row
from biogpt_onnx.reporting.estimates import Interval
from biogpt_onnx.reporting.numbers import gigabytes, seconds

# The machine itself varies by about this between groups, which the intervals do not show.
_NEGLIGIBLE = 0.02

_WIDTHS = {"fp32": "float32", "fp16": "16 bits", "bf16": "16 bits", "int8": "8 bits", "int4": "4 bits"}

_BASELINES = frozenset({"int8-dynamic"})
"""Variants of ours that are baselines of our own, and never count as our best."""

_TIMES = {
    TIME_TO_FIRST_TOKEN: "time to first token",
    TIME_PER_OUTPUT_TOKEN: "time per output token",
    END_TO_END: "end to end",
    COLD_START: "cold start",
}


@dataclass(frozen=True)
class ContenderValue:
    """Value of one contender, less being better.

    Attributes:
        name: the contender's name.
        value: seconds or bytes.
        interval: the confidence interval of a median; None where there is none.
    """

    name: str
    value: float
    interval: Interval | None = None


@dataclass(frozen=True)
class Comparison:
    """Our best value beside the peers' best.

    Attributes:
        what: names scenario, measure and width of the weights.
        ours: our best.
        theirs: the peers' best.
        format_value: writes a value with its unit.
    """

    what: str
    ours: ContenderValue
    theirs: ContenderValue
    format_value: Callable[[float], str]

    @property
    def outcome(self) -> Literal["behind", "level", "ahead"]:
        """Our position: behind or ahead, or level if the difference is at most 2 % or the intervals overlap."""
        ours, theirs = self.ours, self.theirs
        if abs(ours.value / theirs.value - 1) <= _NEGLIGIBLE or _overlap(ours.interval, theirs.interval):
            return "level"
        return "ahead" if ours.value < theirs.value else "behind"

    @property
    def is_level_with_a_better_peer(self) -> bool:
        """True if only overlapping intervals make it level: the peers' value is better by more than 2 %."""
        return self.outcome == "level" and self.ours.value / self.theirs.value - 1 > _NEGLIGIBLE

    def sentence(self) -> str:
        """Returns both values, the better one first, and their ratio as text."""
        better, worse = sorted((self.ours, self.theirs), key=lambda each: each.value)
        return (
            f"{self.what}: {better.name} {self.format_value(better.value)}, "
            f"{worse.name} {self.format_value(worse.value)} ({worse.value / better.value:.2f} x)"
        )


def compare_with_peers(rows: Sequence[Row]) -> list[Comparison]:
    """Compares our best with the peers' best in every scenario, at each width of weights that both have and at any.

    Returns:
        The comparisons of latency, peak memory and disk; none where no peer was measured.
    """
    rows = [row for row in rows if not _is_baseline(row)]
    return [*_compare_times(rows), *_compare_sizes(rows)]


def _is_baseline(row: Row) -> bool:
    return row["contender"]["family"] == OURS and row["contender"]["variant"] in _BASELINES


def _compare_times(rows: Sequence[Row]) -> Iterator[Comparison]:
    for (scenario, threads), members in cells(rows).items():
        workload = members[0]["scenario"]["workload"]
        for measure, called in _TIMES.items():
            # Only the end-to-end time of a task matters.
            if workload and measure != END_TO_END:
                continue
            what = f"{scenario}, {threads} {'thread' if threads == 1 else 'threads'}, {called}"
            yield from _by_width(what, members, lambda row, measure=measure: _time(row, measure), seconds)  # type: ignore[misc]


def _compare_sizes(rows: Sequence[Row]) -> Iterator[Comparison]:
    for (scenario, _), members in cells(rows).items():
        yield from _by_width(f"{scenario}, peak memory", members, _peak, gigabytes)
    once = {name_of(row): row for row in measured(rows)}
    yield from _by_width("disk", list(once.values()), _disk, gigabytes)


def _by_width(
    what: str,
    rows: Sequence[Row],
    value_of: Callable[[Row], ContenderValue | None],
    format_value: Callable[[float], str],
) -> Iterator[Comparison]:
    widths = dict.fromkeys(_width(row) for row in rows)
    for width in (*widths, None):
        members = [row for row in rows if width in (None, _width(row))]
        ours, theirs = (
            [found for row in members if (row["contender"]["family"] == OURS) == is_ours and (found := value_of(row))]
            for is_ours in (True, False)
        )
        if ours and theirs:
            yield Comparison(f"{what}, {width or 'any width'}", _best(ours), _best(theirs), format_value)


def _best(values: Sequence[ContenderValue]) -> ContenderValue:
    return min(values, key=lambda each: each.value)


def _width(row: Row) -> str:
    precision = str(row["contender"]["precision"])
    return _WIDTHS.get(precision, precision)


def _time(row: Row, measure: str) -> ContenderValue | None:
    found: dict[str, Any] | None = row["measures"].get(measure)
    if found is None:
        return None
    return ContenderValue(name_of(row), found["p50"], None if found["interval"] is None else tuple(found["interval"]))


def _peak(row: Row) -> ContenderValue | None:
    peak = row["memory"].get("peak_resident_bytes")
    return ContenderValue(name_of(row), peak) if peak else None


def _disk(row: Row) -> ContenderValue | None:
    disk = row["contender"]["disk_bytes"]
    return ContenderValue(name_of(row), disk) if disk else None


def _overlap(first: Interval | None, second: Interval | None) -> bool:
    return first is not None and second is not None and first[0] <= second[1] and second[0] <= first[1]
