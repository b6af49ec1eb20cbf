"""Numbers and tables in Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from biogpt_onnx.bench.rows import Row

NOTHING = "–"  # noqa: RUF001 -- a dash, as tables have for what is not there


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    rule = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *lines))


def seconds(value: float | None) -> str:
    """Seconds as people read them, with three digits."""
    if value is None:
        return NOTHING
    if value < 1:
        return f"{_digits(value * 1e3)} ms"
    return f"{_digits(value)} s"


def number(value: float | None) -> str:
    """A number with three digits."""
    return NOTHING if value is None else _digits(value)


def gigabytes(value: float | None) -> str:
    """Bytes in units of 10^9."""
    return f"{value / 1e9:.2f} GB" if value else NOTHING


def share(value: float | None) -> str:
    """A fraction in percent."""
    return NOTHING if value is None else f"{value:.0%}"


def with_interval(measure: Mapping[str, Any] | None) -> str:
    """A median in seconds, and its 95 % interval where there is one."""
    if measure is None:
        return NOTHING
    text = seconds(measure["p50"])
    interval = measure["interval"]
    if interval is None:
        return text
    scale, unit = (1e3, "ms") if measure["p50"] < 1 else (1.0, "s")
    return f"{_digits(measure['p50'] * scale)} ({' to '.join(_digits(end * scale) for end in interval)}) {unit}"


def measured(rows: Sequence[Row], kind: str = "measurement") -> list[Row]:
    """The rows that hold results."""
    return [row for row in rows if row["kind"] == kind and row["status"] == "measured"]


def cells(rows: Sequence[Row]) -> dict[tuple[str, int], list[Row]]:
    """Measured rows by scenario and number of threads, in the order of their first appearance."""
    found: dict[tuple[str, int], list[Row]] = {}
    for row in measured(rows):
        found.setdefault((row["scenario"]["name"], row["threads"]), []).append(row)
    return found


def p50(row: Row, measure: str) -> float | None:
    """A row's median of a measure; None where it has none."""
    found = row["measures"].get(measure)
    return None if found is None else float(found["p50"])


def name_of(row: Row) -> str:
    """The contender's name."""
    return str(row["contender"]["name"])


def _digits(value: float) -> str:
    magnitude = abs(value)
    places = 0 if magnitude >= 99.95 else 1 if magnitude >= 9.995 else 2  # noqa: PLR2004 -- three digits
    return f"{value:,.{places}f}"
