"""Measures of what was seen of a load's requests."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from biogpt_onnx.reporting.percentiles import enough_samples

PERCENTILES = (50, 95, 99)

_ROUNDED = 6


def percentiles(samples: Iterable[float]) -> dict[str, float | int | None]:
    """Returns how many samples there are, their largest, and their percentiles.

    A percentile is None where there are too few samples to locate it, see `enough_samples`: p95 needs 59 of them, p99
    needs 299.

    Args:
        samples: in seconds.
    """
    values = np.asarray(list(samples), dtype=np.float64)
    found: dict[str, float | int | None] = {"count": len(values)}
    for each in PERCENTILES:
        known = enough_samples(len(values), each) or (each == PERCENTILES[0] and len(values) > 0)
        found[f"p{each}"] = round(float(np.percentile(values, each)), _ROUNDED) if known else None
    found["max"] = round(float(values.max()), _ROUNDED) if len(values) else None
    return found


def summarize(seen: Sequence[Mapping[str, Any]], begin: float, end: float) -> dict[str, Any]:
    """Returns the measures of a load over the time that counts.

    Tokens count when they come. A request counts by the share of its tokens that came in that time, so that those which
    the beginning and the end cut are neither lost nor counted twice.

    Args:
        seen: the fields of a `load.Seen` for each request.
        begin: of the time that counts, in seconds since the load began.
        end: its end.

    Returns:
        `tokens_per_second`, `requests_per_minute`, `first_token` and `between_tokens` as `percentiles`, in seconds;
        `whole` requests, `errors` by kind (counted from the load's beginning), `unfinished` (those due in that time
        which were given up), and `events_per_token` (of whole requests, how many times anything came for a token).
    """
    per_token = _events_per_token(seen)
    length = end - begin
    tokens = requests = 0.0
    gaps: list[float] = []
    first: list[float] = []
    for one in seen:
        moments = one["moments"]
        counted = sum(count for moment, count in zip(moments, one["counts"], strict=True) if begin <= moment < end)
        counted /= per_token
        tokens += counted
        requests += counted / one["asked"]
        gaps += [later - earlier for earlier, later in pairwise(moments) if begin <= later < end]
        if moments and begin <= moments[0] < end:
            first.append(moments[0] - one["due"])
    ended = [one for one in seen if one["ended"] is not None and begin <= one["ended"] < end and one["error"] is None]
    return {
        "tokens_per_second": round(tokens / length, 3),
        "requests_per_minute": round(requests * 60 / length, 3),
        "first_token": percentiles(first),
        "between_tokens": percentiles(gaps),
        "whole": len(ended),
        "errors": dict(Counter(one["error"] for one in seen if one["error"] is not None)),
        "unfinished": sum(one["ended"] is None and begin <= one["due"] < end for one in seen),
        "events_per_token": round(per_token, 4),
    }


def summarize_arrivals(seen: Sequence[Mapping[str, Any]], begin: float, end: float) -> dict[str, Any]:
    """Returns the measures of an open loop, as `summarize`, of the requests that arrived in the time that counts.

    Their tokens count whenever they came; `tokens_per_second` and `requests_per_minute` are of the requests that were
    answered, over the time in which they arrived.
    """
    arrived = [one for one in seen if begin <= one["due"] < end]
    whole = [one for one in arrived if one["ended"] is not None and one["error"] is None]
    length = end - begin
    return {
        "tokens_per_second": round(sum(one["written"] for one in whole) / length, 3),
        "requests_per_minute": round(len(whole) * 60 / length, 3),
        "first_token": percentiles(one["moments"][0] - one["due"] for one in arrived if one["moments"]),
        "between_tokens": percentiles(
            later - earlier for one in arrived for earlier, later in pairwise(one["moments"])
        ),
        "to_the_end": percentiles(one["ended"] - one["due"] for one in whole),
        "whole": len(whole),
        "errors": dict(Counter(one["error"] for one in seen if one["error"] is not None)),
        "unfinished": sum(one["ended"] is None for one in arrived),
        "events_per_token": round(_events_per_token(seen), 4),
    }


def _events_per_token(seen: Iterable[Mapping[str, Any]]) -> float:
    whole = [one for one in seen if one["error"] is None and one["written"]]
    written = sum(one["written"] for one in whole)
    return sum(sum(one["counts"]) for one in whole) / written if written else 1.0
