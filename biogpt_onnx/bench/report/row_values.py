"""Values of result rows, as reports and figures need them."""

from collections.abc import Mapping, Sequence
from typing import Any

from biogpt_onnx.bench.rows import Row
from biogpt_onnx.reporting.numbers import MISSING, seconds_with_interval


def measured(rows: Sequence[Row], kind: str = "measurement") -> list[Row]:
    """Returns the rows of a kind that hold results."""
    return [row for row in rows if row["kind"] == kind and row["status"] == "measured"]


def cells(rows: Sequence[Row]) -> dict[tuple[str, int], list[Row]]:
    """Returns the measured rows by scenario and number of threads, in the order of their first appearance."""
    found: dict[tuple[str, int], list[Row]] = {}
    for row in measured(rows):
        found.setdefault((row["scenario"]["name"], row["threads"]), []).append(row)
    return found


def name_of(row: Row) -> str:
    """Returns the name of a row's contender."""
    return str(row["contender"]["name"])


def p50(row: Row, measure: str) -> float | None:
    """Returns a row's median of a measure; None where it has none."""
    found = row["measures"].get(measure)
    return None if found is None else float(found["p50"])


def median_with_interval(measure: Mapping[str, Any] | None) -> str:
    """Returns the median of a measure in seconds as text, and its 95 % interval if it has one; a dash for None."""
    return MISSING if measure is None else seconds_with_interval(measure["p50"], measure["interval"])
