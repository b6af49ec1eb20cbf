"""Numbers and tables in Markdown."""

from collections.abc import Sequence

from biogpt_onnx.scores.resampling import Difference, Estimate


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    rule = ["---", *("---:" for _ in header[1:])]
    cells = [[cell.replace("|", "\\|") for cell in line] for line in (header, *lines)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (cells[0], rule, *cells[1:]))


def percent(value: float) -> str:
    """A share as F1 and accuracy are given, with two digits behind the point."""
    return f"{value:.2%}"


def with_interval(estimate: Estimate) -> str:
    """A share, and its interval where it has one."""
    if estimate.interval is None:
        return percent(estimate.value)
    low, high = (f"{end:.2%}" for end in estimate.interval)
    return f"{percent(estimate.value)} ({low} to {high})"


def in_points(difference: Difference) -> str:
    """A difference of shares in percentage points, and its interval where it has one."""
    value = f"{difference.value * 100:+z.2f} points"
    if difference.interval is None:
        return value
    low, high = (f"{end * 100:+z.2f}" for end in difference.interval)
    return f"{value} ({low} to {high})"


def probability(value: float) -> str:
    """A p-value as people read them."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"  # noqa: PLR2004 -- three digits
