"""Numbers as reports print them."""

from biogpt_onnx.reporting.estimates import Difference, Estimate, Interval

MISSING = "–"  # noqa: RUF001 -- a dash, as tables have for a missing value


def three_digits(value: float | None) -> str:
    """Returns a number with three significant digits, or all digits of its whole part."""
    return MISSING if value is None else _digits(value)


def seconds(value: float | None) -> str:
    """Returns a time with three digits, in milliseconds below one second."""
    if value is None:
        return MISSING
    scale, unit = _time_unit(value)
    return f"{_digits(value * scale)} {unit}"


def seconds_with_interval(value: float, interval: Interval | None) -> str:
    """Returns a time with three digits, and its interval in brackets if it has one.

    Args:
        value: the time in seconds.
        interval: the ends of its confidence interval, in seconds.
    """
    if interval is None:
        return seconds(value)
    scale, unit = _time_unit(value)
    return f"{_digits(value * scale)} ({' to '.join(_digits(end * scale) for end in interval)}) {unit}"


def gigabytes(value: float | None) -> str:
    """Returns a number of bytes in units of 10^9; a dash for none."""
    return f"{value / 1e9:.2f} GB" if value else MISSING


def whole_percent(value: float | None) -> str:
    """Returns a fraction in percent, without decimals."""
    return MISSING if value is None else f"{value:.0%}"


def percent(value: float) -> str:
    """Returns a fraction in percent with two decimals, as F1 and accuracy are given."""
    return f"{value:.2%}"


def percent_with_interval(estimate: Estimate) -> str:
    """Returns a fraction in percent with two decimals, and its interval in brackets if it has one."""
    if estimate.interval is None:
        return percent(estimate.value)
    low, high = map(percent, estimate.interval)
    return f"{percent(estimate.value)} ({low} to {high})"


def percentage_points(difference: Difference) -> str:
    """Returns a difference of fractions in percentage points, and its interval in brackets if it has one."""
    value = f"{difference.value * 100:+z.2f} points"
    if difference.interval is None:
        return value
    low, high = (f"{end * 100:+z.2f}" for end in difference.interval)
    return f"{value} ({low} to {high})"


def p_value(value: float) -> str:
    """Returns a p-value with three decimals; "< 0.001" for a smaller one."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"  # noqa: PLR2004 -- three digits


def _time_unit(value: float) -> tuple[float, str]:
    return (1e3, "ms") if value < 1 else (1.0, "s")


def _digits(value: float) -> str:
    magnitude = abs(value)
    places = 0 if magnitude >= 99.95 else 1 if magnitude >= 9.995 else 2  # noqa: PLR2004 -- three digits
    return f"{value:,.{places}f}"
