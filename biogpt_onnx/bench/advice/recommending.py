"""From measurements to advice: for each use the bundle and the number of threads, with the numbers it rests on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from biogpt_onnx.bench.advice.measurements import BATCH_SIZE, PROMPT_TOKENS, Measurement, Times, bundle_bytes

NEW_TOKENS = 32
"""Tokens that a request of the advice writes."""
LEAST_DIFFERENCE = 0.05
"""Share by which one must be faster than another, or smaller, not to be called equal."""
# A single turn may have been disturbed as a whole.
_HOPELESS_AFTER_ONE_ROUND = 2.5
_HOPELESS = 1.5


@dataclass(frozen=True)
class Use:
    """A use of a model, whose time is computed from the times of a turn.

    Attributes:
        name: its name for programs.
        title: its name for people.
        work: the work whose time decides, in words.
        seconds: returns the time of that work.
    """

    name: str
    title: str
    work: str
    seconds: Callable[[Times], float]


USES = (
    Use(
        "short_answers",
        "one short answer at a time",
        f"{PROMPT_TOKENS} tokens read, {NEW_TOKENS} written",
        lambda times: times.prompt + NEW_TOKENS * times.step,
    ),
    Use("long_texts", "long texts and classification", f"{PROMPT_TOKENS} tokens read", lambda times: times.prompt),
    Use(
        "many_requests",
        "many requests at once",
        f"{BATCH_SIZE} requests, of each {PROMPT_TOKENS} tokens read and {NEW_TOKENS} written",
        lambda times: BATCH_SIZE * times.prompt + NEW_TOKENS * times.batch,
    ),
)
"""The uses that are decided by time."""
LEAST_MEMORY = "least_memory"
"""The name of the use that is decided by memory."""


@dataclass(frozen=True)
class Recommendation:
    """What suits a use.

    Attributes:
        use: name of the use.
        title: name of the use for people.
        work: what the number is the time or the memory of.
        best: the bundle and the number of threads.
        seconds: median time of the work; None where memory decides.
        num_bytes: memory; None where time decides.
        equal: others that could not be told from the best.
        next_best: the best of those that are worse; None if there is none.
        ratio: the median of the next best's time, or its memory, by that of the best, round by round; None if there is
            none.
    """

    use: str
    title: str
    work: str
    best: Measurement
    seconds: float | None = None
    num_bytes: int | None = None
    equal: tuple[Measurement, ...] = ()
    next_best: Measurement | None = None
    ratio: float | None = None


def recommend(measurements: Sequence[Measurement]) -> list[Recommendation]:
    """Returns a recommendation for each use.

    One is called faster than another if it was so in every round that both took part in, and by 5 % or more in the
    median of the rounds. Among those that no other is faster than, it takes one whose quality is proven, then the
    smallest, then the fewest threads.

    Args:
        measurements: bundles with numbers of threads, each of which took part in the first round.
    """
    timed = [_fastest(measurements, use) for use in USES]
    return [*timed, _smallest(measurements, timed[0])]


def worth_measuring(measurements: Sequence[Measurement]) -> list[Measurement]:
    """Returns those that may still win a use.

    The others take one and a half times the best's time in all uses, or two and a half times after a single round.
    """
    best = {use.name: min(_typical(each, use.seconds) for each in measurements) for use in USES}
    return [
        each
        for each in measurements
        if any(_typical(each, use.seconds) < _hopeless(each) * best[use.name] for use in USES)
    ]


def is_faster(one: Measurement, other: Measurement, seconds: Callable[[Times], float]) -> bool:
    """Returns True if one takes less time than another, by more than the noise."""
    ratios = _ratios(one, other, seconds)
    return bool(ratios) and max(ratios) < 1 and median(ratios) <= 1 - LEAST_DIFFERENCE


def _hopeless(each: Measurement) -> float:
    return _HOPELESS_AFTER_ONE_ROUND if len(each.rounds) == 1 else _HOPELESS


def _fastest(measurements: Sequence[Measurement], use: Use) -> Recommendation:
    fastest = min(measurements, key=lambda each: _typical(each, use.seconds))
    level = [each for each in measurements if not is_faster(fastest, each, use.seconds)]
    best = min(level, key=lambda each: _preference(measurements, each))
    worse = [each for each in measurements if each not in level and each.bundle != best.bundle]
    worse = worse or [each for each in measurements if each not in level]
    next_best = min(worse, key=lambda each: _typical(each, use.seconds), default=None)
    return Recommendation(
        use.name,
        use.title,
        use.work,
        best,
        seconds=_typical(best, use.seconds),
        equal=tuple(each for each in level if each is not best),
        next_best=next_best,
        ratio=None if next_best is None else median(_ratios(next_best, best, use.seconds)),
    )


def _smallest(measurements: Sequence[Measurement], by_time: Recommendation) -> Recommendation:
    """Returns the bundle of the least memory, with the number of threads with which it is fastest."""
    is_known = all(each.resident_bytes for each in measurements)

    def size(each: Measurement) -> int:
        return bundle_bytes(measurements, each.bundle) if is_known else each.bundle.disk_bytes

    bundles = {each.bundle: size(each) for each in measurements}
    least = min(bundles.values())
    level = [bundle for bundle, found in bundles.items() if found * (1 - LEAST_DIFFERENCE) <= least]
    candidates = [each for each in measurements if each.bundle in level]
    best = _fastest(candidates, USES[0]).best
    if by_time.best in candidates:
        best = by_time.best
    others = [bundle for bundle in bundles if bundle not in level]
    next_bundle = min(others, key=bundles.__getitem__, default=None)
    return Recommendation(
        LEAST_MEMORY,
        "least memory",
        "memory of the process" if is_known else "size of its files",
        best,
        num_bytes=size(best),
        equal=tuple(
            _fastest([each for each in candidates if each.bundle == bundle], USES[0]).best
            for bundle in level
            if bundle != best.bundle
        ),
        next_best=None
        if next_bundle is None
        else _fastest([each for each in measurements if each.bundle == next_bundle], USES[0]).best,
        ratio=None if next_bundle is None else bundles[next_bundle] / size(best),
    )


def _preference(measurements: Sequence[Measurement], each: Measurement) -> tuple[bool, int, int]:
    return not each.bundle.is_proven, bundle_bytes(measurements, each.bundle) or each.bundle.disk_bytes, each.threads


def _typical(each: Measurement, seconds: Callable[[Times], float]) -> float:
    return median(map(seconds, each.rounds.values()))


def _ratios(one: Measurement, other: Measurement, seconds: Callable[[Times], float]) -> list[float]:
    """Returns the time of one by that of another in each round that both took part in."""
    shared = one.rounds.keys() & other.rounds.keys()
    return [seconds(one.rounds[number]) / seconds(other.rounds[number]) for number in sorted(shared)]
