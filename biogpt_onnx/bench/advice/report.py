"""Advice as text for people, and as plain data for programs."""

from statistics import median
from typing import Any

from biogpt_onnx.bench.advice.advice import Advice
from biogpt_onnx.bench.advice.measurements import BATCH_SIZE, NUM_BEAMS, PROMPT_TOKENS, BundleFacts, Measurement, Times
from biogpt_onnx.bench.advice.recommending import LEAST_DIFFERENCE, Recommendation
from biogpt_onnx.reporting.markdown import table
from biogpt_onnx.reporting.numbers import gigabytes, seconds

_HEADER = (
    "bundle",
    "threads",
    f"{PROMPT_TOKENS} tokens read",
    "a token",
    f"a token, {NUM_BEAMS} beams",
    f"a token of {BATCH_SIZE} rows",
    "rounds",
    "memory",
    "quality",
    "rows apart",
)
_METHOD = (
    f"Times are medians of rounds in turns. One is called faster if it was so in every round, and by "
    f"{LEAST_DIFFERENCE:.0%} or more in the median; what took much longer in all uses was left out of further "
    "rounds."
)


def to_text(advice: Advice) -> str:
    """Returns advice as Markdown: the machine, what was measured, and a paragraph for each use."""
    parts = [
        f"{advice.processor}: {advice.kernels}, {advice.cores.describe()}.",
        table(_HEADER, [_row(each) for each in advice.measurements]),
        "\n".join(f"- {_sentence(each, advice)}" for each in advice.recommendations),
        _METHOD,
    ]
    if not advice.are_of_one_model:
        parts.append("The bundles are of models of different sizes: times tell nothing of which answers better.")
    return "\n\n".join(parts)


def to_dict(advice: Advice) -> dict[str, Any]:
    """Returns advice as plain data: seconds, bytes and shares."""
    return {
        "processor": advice.processor,
        "kernels": advice.kernels,
        "cores": vars(advice.cores),
        "are_of_one_model": advice.are_of_one_model,
        "measurements": [_measurement_data(each) for each in advice.measurements],
        "recommendations": [_recommendation_data(each) for each in advice.recommendations],
    }


def _row(each: Measurement) -> tuple[str, ...]:
    times = _medians(each)
    return (
        each.bundle.name,
        str(each.threads),
        *(seconds(value) for value in vars(times).values()),
        str(len(each.rounds)),
        gigabytes(each.resident_bytes),
        _quality(each.bundle),
        "yes" if each.bundle.holds_rows_apart else "no",
    )


def _quality(bundle: BundleFacts) -> str:
    if bundle.perplexity_increase is not None:
        return f"perplexity {bundle.perplexity_increase:+.2%}"
    return "the original" if bundle.is_original else "unproven"


def _sentence(found: Recommendation, advice: Advice) -> str:
    number = gigabytes(found.num_bytes) if found.seconds is None else seconds(found.seconds)
    parts = [f"**{found.title}**: {found.best.label}, {number} ({found.work})."]
    if found.equal:
        parts.append(f"Equal within the noise: {', '.join(each.label for each in found.equal)}.")
    if found.next_best is not None and found.ratio is not None:
        what = "memory" if found.seconds is None else "time"
        parts.append(f"Next: {found.next_best.label}, {found.ratio:.2f} x the {what}.")
    if not found.best.bundle.is_proven:
        parts.append("It is unproven: compare it with its original by `biogpt-onnx evaluate` first.")
    if found.use == "many_requests" and not found.best.bundle.holds_rows_apart:
        parts.append("On this processor its answers may differ a little with what is computed beside them.")
    if found.best.threads != advice.cores.usable:
        parts.append(f"Say `--threads {found.best.threads}`; the default is {advice.cores.usable}.")
    return " ".join(parts)


def _medians(each: Measurement) -> Times:
    rounds = [vars(times) for times in each.rounds.values()]
    return Times(**{name: median(times[name] for times in rounds) for name in rounds[0]})


def _measurement_data(each: Measurement) -> dict[str, Any]:
    return {
        "bundle": each.bundle.name,
        "recipe": each.bundle.recipe,
        "threads": each.threads,
        "seconds": vars(_medians(each)),
        "rounds": [{"round": number, **vars(times)} for number, times in each.rounds.items()],
        "resident_bytes": each.resident_bytes or None,
        "disk_bytes": each.bundle.disk_bytes,
        "perplexity_increase": each.bundle.perplexity_increase,
        "is_proven": each.bundle.is_proven,
        "holds_rows_apart": each.bundle.holds_rows_apart,
    }


def _recommendation_data(found: Recommendation) -> dict[str, Any]:
    return {
        "use": found.use,
        "work": found.work,
        **_chosen(found.best),
        "seconds": found.seconds,
        "bytes": found.num_bytes,
        "is_proven": found.best.bundle.is_proven,
        "holds_rows_apart": found.best.bundle.holds_rows_apart,
        "equal": [_chosen(each) for each in found.equal],
        "next_best": None if found.next_best is None else _chosen(found.next_best) | {"ratio": found.ratio},
    }


def _chosen(each: Measurement) -> dict[str, Any]:
    return {"bundle": each.bundle.name, "threads": each.threads}
