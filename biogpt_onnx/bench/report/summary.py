"""Summary of a comparison in one table: the headline scenarios, and what a peer is ahead in."""

from collections.abc import Iterator, Sequence

from biogpt_onnx.bench.measuring.measures import TIME_PER_OUTPUT_TOKEN, TIME_TO_FIRST_TOKEN
from biogpt_onnx.bench.report.comparison import Comparison, compare_with_peers
from biogpt_onnx.bench.report.markdown_report import machine_line
from biogpt_onnx.bench.report.row_values import measured, name_of, p50
from biogpt_onnx.bench.rows import Row
from biogpt_onnx.bench.scenarios import COLD_START, HEADLINE, HEADLINE_BEAMS
from biogpt_onnx.reporting.markdown import table
from biogpt_onnx.reporting.numbers import MISSING, gigabytes, seconds, whole_percent


def summary(rows: Sequence[Row]) -> str:
    """Returns the machine, the table and the sentences of a comparison in Markdown."""
    return "\n\n".join([headline(rows), *_sentences(compare_with_peers(rows)), *_missing(rows)])


def headline(rows: Sequence[Row]) -> str:
    """Returns the machine and the table of a comparison in Markdown."""
    return "\n\n".join([machine_line(rows), _table(rows)])


def _table(rows: Sequence[Row]) -> str:
    greedy, beams = (_by_name(rows, scenario) for scenario in (HEADLINE, HEADLINE_BEAMS))
    twins = list(dict.fromkeys(row["scenario"]["name"] for row in measured(rows, "quality")))
    ordered = sorted(greedy.values(), key=lambda row: p50(row, TIME_PER_OUTPUT_TOKEN) or float("inf"))
    header = [
        "contender",
        "disk",
        "peak memory",
        "time to first token",
        "time per output token",
        "of its floor",
        "with 5 beams",
        "logits off by",
        *(f"perplexity, {twin}" for twin in twins),
    ]
    differences = {name_of(row): row["proof"]["relative_difference"] for row in measured(rows, "proof")}
    lines = []
    for row in ordered:
        with_beams = beams.get(name_of(row))
        lines.append(
            [
                name_of(row),
                gigabytes(row["contender"]["disk_bytes"]),
                gigabytes(row["memory"].get("peak_resident_bytes")),
                seconds(p50(row, TIME_TO_FIRST_TOKEN)),
                seconds(p50(row, TIME_PER_OUTPUT_TOKEN)),
                whole_percent(row["floors"].get("step_bandwidth_fraction")),
                MISSING if with_beams is None else seconds(p50(with_beams, TIME_PER_OUTPUT_TOKEN)),
                f"{differences[name_of(row)]:.1g}" if name_of(row) in differences else MISSING,
                *(_perplexity(rows, name_of(row), twin) for twin in twins),
            ]
        )
    return table(header, lines)


def _by_name(rows: Sequence[Row], scenario: str) -> dict[str, Row]:
    found = [row for row in measured(rows) if row["scenario"]["name"] == scenario]
    most = max((row["threads"] for row in found), default=0)
    return {name_of(row): row for row in found if row["threads"] == most}


def _perplexity(rows: Sequence[Row], name: str, twin: str) -> str:
    for row in measured(rows, "quality"):
        if (name_of(row), row["scenario"]["name"]) == (name, twin):
            return f"{row['quality']['perplexity_increase']['value']:+z.2%}"
    return MISSING


def _sentences(found: Sequence[Comparison]) -> Iterator[str]:
    """Yields the counts of the whole run, and the comparisons in which a peer is ahead, or level and yet better."""
    if not found:
        return
    ahead, level, behind = (
        [each for each in found if each.outcome == outcome] for outcome in ("ahead", "level", "behind")
    )
    yield (
        f"Our best beside the peers' best, at each width of weights and at any, in {len(found)} comparisons of "
        f"latency, memory and disk: ahead in {len(ahead)}, level in {len(level)}, behind in {len(behind)}."
    )
    in_table = (f"{HEADLINE},", f"{HEADLINE_BEAMS},", f"{COLD_START},", "disk")
    sentences = [f"- {each.sentence()}" for each in behind if each.what.startswith(in_table)]
    if sentences:
        yield "\n".join(["Of those in this table and of a cold start, a peer is ahead of us in:", "", *sentences])
    else:
        yield "In none of those in this table, nor of a cold start, is a peer ahead of us."
    better = [f"- {each.sentence()}" for each in level if each.is_level_with_a_better_peer]
    if better:
        heading = (
            "Level only because the intervals of the medians overlap, with a peer's median better by more than 2 % "
            "(all scenarios):"
        )
        yield "\n".join([heading, "", *better])


def _missing(rows: Sequence[Row]) -> Iterator[str]:
    reasons = {name_of(row): row["reason"] for row in rows if row["kind"] == "proof" and row["status"] != "measured"}
    if reasons:
        yield "Not measured: " + "; ".join(f"{name} ({reason})" for name, reason in reasons.items()) + "."
