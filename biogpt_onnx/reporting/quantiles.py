"""Quantiles of the distributions from which intervals are made."""

import math
from statistics import NormalDist


def normal_quantile(confidence: float) -> float:
    """Returns the standard normal quantile of a two-sided interval.

    Args:
        confidence: the confidence level, between 0 and 1.
    """
    return NormalDist().inv_cdf((1 + confidence) / 2)


def student_quantile(confidence: float, degrees: int) -> float:
    """Returns the quantile of Student's distribution of a two-sided interval.

    From three degrees of freedom on it is an expansion around the normal quantile, which at a confidence of 95 % is
    right to 0.004 (Abramowitz and Stegun, Handbook of Mathematical Functions, 1964, 26.7.5).

    Args:
        confidence: the confidence level, between 0 and 1.
        degrees: degrees of freedom, at least 1.
    """
    if degrees == 1:
        return math.tan(math.pi * confidence / 2)
    if degrees == 2:  # noqa: PLR2004 -- the other case with a closed form
        return confidence * math.sqrt(2 / (1 - confidence**2))
    z = normal_quantile(confidence)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / float(degrees) ** power for power, term in enumerate(terms, start=1))


def poisson_lower_limit(confidence: float, count: int) -> float:
    """Returns the mean of the Poisson distribution that reaches a count with a probability of 1 - confidence.

    It is the lower end of the one-sided interval of the mean.

    Args:
        confidence: the confidence level, between 0 and 1.
        count: the number of events, at least 1.
    """

    def reaches(mean: float) -> float:
        return 1 - math.exp(-mean) * math.fsum(mean**number / math.factorial(number) for number in range(count))

    low, high = 0.0, float(count)
    # The probability grows with the mean, and at the count itself is above a half or nearly so.
    while reaches(high) < 1 - confidence:
        high *= 2
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if reaches(middle) < 1 - confidence else (low, middle)
    return high
