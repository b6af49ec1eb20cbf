"""Who is ahead of whom, in words made from the rows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from biogpt_onnx.bench.contender import OURS
from biogpt_onnx.bench.measures import COLD_START, END_TO_END, TIME_PER_OUTPUT_TOKEN, TIME_TO_FIRST_TOKEN
from biogpt_onnx.bench.rows import Row
from biogpt_onnx.bench.tables import cells, gigabytes, measured, name_of, seconds

Interval = tuple[float, float]

# Less is not worth a word, whatever the intervals say: the machine itself is not steadier between groups.
_LEVEL = 0.02

_WIDTHS = {"fp32": "float32", "fp16": "16 bits", "bf16": "16 bits", "int8": "8 bits", "int4": "4 bits"}

_BASELINES = frozenset({"int8-dynamic"})
"""Variants of ours that are there to compare with, and are no side's best."""

_TIMES = {
    TIME_TO_FIRST_TOKEN: "time to first token",
    TIME_PER_OUTPUT_TOKEN: "time per output token",
    END_TO_END: "end to end",
    COLD_START: "cold start",
}


@dataclass(frozen=True)
class Figure:
    """A number of one contender, less being better.

    Attributes:
        name: the contender.
        value: the number.
        interval: where its median may lie; None where nothing is known of that.
    """

    name: str
    value: float
    interval: Interval | None = None


@dataclass(frozen=True)
class Standing:
    """Our best beside the peers' best.

    Attributes:
        what: which scenario, measure and width.
        ours: our best.
        theirs: the peers' best.
        text: how a value is written.
    """

    what: str
    ours: Figure
    theirs: Figure
    text: Callable[[float], str]

    @property
    def outcome(self) -> Literal["behind", "level", "ahead"]:
        """Level where the difference is small or the intervals overlap."""
        ours, theirs = self.ours, self.theirs
        if abs(ours.value / theirs.value - 1) <= _LEVEL or _overlap(ours.interval, theirs.interval):
            return "level"
        return "ahead" if ours.value < theirs.value else "behind"

    def sentence(self) -> str:
        """Both numbers and their ratio."""
        better, worse = sorted((self.ours, self.theirs), key=lambda figure: figure.value)
        return (
            f"{self.what}: {better.name} {self.text(better.value)}, {worse.name} {self.text(worse.value)} "
            f"({worse.value / better.value:.2f} x)"
        )


def standings(rows: Sequence[Row]) -> list[Standing]:
    """Our best beside the peers' best in every scenario, at each width of weights that both have, and at any width.

    Empty where nobody else was measured.
    """
    rows = [row for row in rows if not _is_baseline(row)]
    return [*_of_speed(rows), *_of_memory(rows)]


def _is_baseline(row: Row) -> bool:
    return row["contender"]["family"] == OURS and row["contender"]["variant"] in _BASELINES


def _of_speed(rows: Sequence[Row]) -> Iterator[Standing]:
    for (scenario, threads), members in cells(rows).items():
        workload = members[0]["scenario"]["workload"]
        for measure, called in _TIMES.items():
            # Of a task the whole counts.
            if workload and measure != END_TO_END:
                continue
            what = f"{scenario}, {threads} {'thread' if threads == 1 else 'threads'}, {called}"
            yield from _by_width(what, members, lambda row, measure=measure: _time(row, measure), seconds)  # type: ignore[misc]


def _of_memory(rows: Sequence[Row]) -> Iterator[Standing]:
    for (scenario, _), members in cells(rows).items():
        yield from _by_width(f"{scenario}, peak memory", members, _peak, gigabytes)
    once = {name_of(row): row for row in measured(rows)}
    yield from _by_width("disk", list(once.values()), _disk, gigabytes)


def _by_width(
    what: str, rows: Sequence[Row], figure: Callable[[Row], Figure | None], text: Callable[[float], str]
) -> Iterator[Standing]:
    widths = dict.fromkeys(_width(row) for row in rows)
    for width in (*widths, None):
        members = [row for row in rows if width in (None, _width(row))]
        ours, theirs = (
            [found for row in members if (row["contender"]["family"] == OURS) == is_ours and (found := figure(row))]
            for is_ours in (True, False)
        )
        if ours and theirs:
            yield Standing(f"{what}, {width or 'any width'}", _best(ours), _best(theirs), text)


def _best(figures: Sequence[Figure]) -> Figure:
    return min(figures, key=lambda figure: figure.value)


def _width(row: Row) -> str:
    precision = str(row["contender"]["precision"])
    return _WIDTHS.get(precision, precision)


def _time(row: Row, measure: str) -> Figure | None:
    found: dict[str, Any] | None = row["measures"].get(measure)
    if found is None:
        return None
    return Figure(name_of(row), found["p50"], None if found["interval"] is None else tuple(found["interval"]))


def _peak(row: Row) -> Figure | None:
    peak = row["memory"].get("peak_resident_bytes")
    return Figure(name_of(row), peak) if peak else None


def _disk(row: Row) -> Figure | None:
    disk = row["contender"]["disk_bytes"]
    return Figure(name_of(row), disk) if disk else None


def _overlap(first: Interval | None, second: Interval | None) -> bool:
    return first is not None and second is not None and first[0] <= second[1] and second[0] <= first[1]
