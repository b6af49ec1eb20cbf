"""Markdown report of a run's rows."""

import statistics
from collections.abc import Iterator, Sequence

from biogpt_onnx.bench.measuring.measures import (
    COLD_START,
    DECODE_RATE,
    END_TO_END,
    INTER_TOKEN_LATENCY,
    PREFILL_RATE,
    TIME_PER_OUTPUT_TOKEN,
    TIME_TO_FIRST_TOKEN,
)
from biogpt_onnx.bench.report.comparison import compare_with_peers
from biogpt_onnx.bench.report.row_values import cells, measured, median_with_interval, name_of, p50
from biogpt_onnx.bench.rows import Row
from biogpt_onnx.bench.scenarios import Scenario
from biogpt_onnx.reporting.markdown import table
from biogpt_onnx.reporting.numbers import MISSING, gigabytes, seconds, three_digits, whole_percent


def report(rows: Sequence[Row]) -> str:
    """Returns the whole report.

    Args:
        rows: rows of every kind and status, in the order of their measurement.
    """
    sections = [
        _heading(rows),
        *_comparisons(rows),
        *_generations(rows),
        *_workloads(rows),
        *_resources(rows),
        *_quality(rows),
        *_same_model_checks(rows),
        *_missing(rows),
        *_versions(rows),
    ]
    return "\n\n".join(sections) + "\n"


def machine_line(rows: Sequence[Row]) -> str:
    """Returns the machine, the commit and the machine's limits in a sentence or two."""
    machine = rows[0]["machine"]
    sets = ", ".join(machine["instruction_sets"]) or "no instruction sets that matter here"
    commit = machine["commit"] or f"version {machine['versions'].get('biogpt-onnx')}"
    memory = f", {machine['memory_gb']:.0f} GB of memory" if machine["memory_gb"] else ""
    gpus = "".join(f"; {gpu['name']}" for gpu in machine.get("gpus") or ())
    limits = _limits(rows)
    return f"{machine['cpu']} with {machine['cores']} cores ({sets}){memory}{gpus}; commit {commit}.{limits}"


def _limits(rows: Sequence[Row]) -> str:
    found = [row for row in measured(rows) if row["limits"]]
    if not found:
        return ""
    most = max(row["threads"] for row in found)
    bandwidth, matmul = (
        statistics.median(row["limits"][name] for row in found if row["threads"] == most)
        for name in ("read_bandwidth", "matmul_rate")
    )
    return (
        f" In the median of the run {most} threads read {bandwidth / 1e9:.1f} GB/s from memory and multiplied float32 "
        f"matrices at {matmul / 1e9:.0f} GFLOP/s."
    )


def _heading(rows: Sequence[Row]) -> str:
    lines = ["# Benchmark", "", machine_line(rows) if rows else "Nothing was measured."]
    found = measured(rows)
    if found:
        settings = found[0]["settings"]
        method = (
            f"Medians of at least {settings['min_runs']} generations and {settings['min_seconds']:g} seconds of each "
            "contender, in turns; in brackets the 95 % interval of the median. p90 is given from 29 samples, p99 from "
            "299. The bandwidth floor of a step is the time to read the weights once in the contender's precision at "
            "the bandwidth measured in the same turns, the compute floor of a prefill the time of its products at the "
            "float32 rate; arithmetic in 8 bits can reach more than 100 % of that."
        )
        lines += ["", method]
    return "\n".join(lines)


def _comparisons(rows: Sequence[Row]) -> Iterator[str]:
    found = compare_with_peers(rows)
    if not found:
        return
    yield "## Where we stand"
    headings = {
        "behind": "A peer is ahead of us:",
        "level": "Level, because the intervals of the medians overlap or the two are within 2 %:",
        "ahead": "We are ahead of every peer:",
    }
    for outcome, heading in headings.items():
        sentences = [f"- {each.sentence()}" for each in found if each.outcome == outcome]
        if sentences:
            yield "\n".join([heading, "", *sentences])


def _generations(rows: Sequence[Row]) -> Iterator[str]:
    for (name, threads), members in cells(rows).items():
        scenario = Scenario(**members[0]["scenario"])
        if scenario.kind != "generation" or scenario.workload:
            continue
        yield f"## {name}, {threads} {'thread' if threads == 1 else 'threads'}\n\n{scenario.describe().capitalize()}."
        ordered = sorted(members, key=lambda row: p50(row, TIME_PER_OUTPUT_TOKEN) or float("inf"))
        yield table(
            [
                "contender",
                "time to first token",
                "time per output token",
                "inter-token p50 / p90 / p99",
                "end to end",
                "prefill tokens/s",
                "decode tokens/s",
                "of the bandwidth floor, step",
                "of the compute floor, prefill",
            ],
            [_generation(row) for row in ordered],
        )


def _generation(row: Row) -> list[str]:
    found, floors = row["measures"], row["floors"]
    latency = found.get(INTER_TOKEN_LATENCY)
    percentiles = [seconds(latency[name]) for name in ("p50", "p90", "p99")] if latency else [MISSING]
    return [
        name_of(row),
        median_with_interval(found.get(TIME_TO_FIRST_TOKEN)),
        median_with_interval(found.get(TIME_PER_OUTPUT_TOKEN)),
        " / ".join(percentiles),
        median_with_interval(found.get(END_TO_END)),
        three_digits(p50(row, PREFILL_RATE)),
        three_digits(p50(row, DECODE_RATE)),
        whole_percent(floors.get("step_bandwidth_fraction")),
        whole_percent(floors.get("prefill_compute_fraction")),
    ]


def _workloads(rows: Sequence[Row]) -> Iterator[str]:
    found = {key: members for key, members in cells(rows).items() if members[0]["scenario"]["workload"]}
    if not found:
        return
    yield "## Biomedical workloads\n\nEnd to end, by the token counts of each task's median document."
    header = ["contender"]
    for (name, threads), members in found.items():
        scenario = members[0]["scenario"]
        header.append(f"{name}, {scenario['prompt_tokens']} to {scenario['new_tokens']}, {threads} threads")
    names = dict.fromkeys(name_of(row) for members in found.values() for row in members)
    by_name = [{name_of(row): row["measures"][END_TO_END] for row in members} for members in found.values()]
    yield table(
        header,
        [[name, *(median_with_interval(members.get(name)) for members in by_name)] for name in names],
    )


def _resources(rows: Sequence[Row]) -> Iterator[str]:
    found = measured(rows)
    if not found:
        return
    yield (
        "## Disk, memory and start\n\nMemory is the whole process, mapped files included: after loading, and the most "
        f"in any scenario{_without_gpu(found)}. A cold start is a fresh process to its first token, with the "
        "page cache warm."
    )
    lines = []
    for name in dict.fromkeys(map(name_of, found)):
        mine = [row for row in found if name_of(row) == name]
        loads = [row["loading"]["load_seconds"] for row in mine if "load_seconds" in row["loading"]]
        cold = next((row["measures"][COLD_START] for row in mine if COLD_START in row["measures"]), None)
        lines.append(
            [
                name,
                gigabytes(mine[0]["contender"]["disk_bytes"]),
                seconds(statistics.median(loads)) if loads else MISSING,
                gigabytes(statistics.median(row["loading"].get("resident_bytes", 0) for row in mine)),
                gigabytes(max(row["memory"].get("peak_resident_bytes", 0) for row in mine)),
                median_with_interval(cold),
            ]
        )
    yield table(["contender", "disk", "load", "after loading", "peak", "cold start"], lines)


def _without_gpu(found: Sequence[Row]) -> str:
    # Rows of earlier versions have no device: all of them are of the CPU.
    on_gpu = any(row["contender"].get("device", "cpu") != "cpu" for row in found)
    return "; what lies in a GPU's memory is not counted" if on_gpu else ""


def _quality(rows: Sequence[Row]) -> Iterator[str]:
    found = measured(rows, "quality")
    if not found:
        return
    first = found[0]["quality"]
    yield (
        "## Quality\n\nPerplexity beside our float32, and how often the same token is the likeliest, on the embedded "
        f"checkpoint and on a twin of it with outliers in its activations: {first['documents']} documents, "
        f"{first['tokens']:,} tokens, {first['text']}."
    )
    twins = list(dict.fromkeys(row["scenario"]["name"] for row in found))
    header = ["contender", *(f"{twin}: {what}" for twin in twins for what in ("perplexity", "same top token"))]
    lines = []
    for name in dict.fromkeys(map(name_of, found)):
        line = [name]
        for twin in twins:
            row = next((row for row in found if (name_of(row), row["scenario"]["name"]) == (name, twin)), None)
            line += _quality_cells(row)
        lines.append(line)
    yield table(header, lines)


def _quality_cells(row: Row | None) -> list[str]:
    if row is None:
        return [MISSING, MISSING]
    increase, agreement = row["quality"]["perplexity_increase"], row["quality"]["top_1_agreement"]
    ends = increase["interval"]
    interval = f" ({ends[0]:+z.2%} to {ends[1]:+z.2%})" if ends else ""
    return [f"{increase['value']:+z.2%}{interval}", f"{agreement['value']:.2%}"]


def _same_model_checks(rows: Sequence[Row]) -> Iterator[str]:
    found = measured(rows, "proof")
    if found:
        yield (
            "## The same model\n\nBefore it was measured, each contender computed logits of the same tokens: the "
            "difference from our float32 ones, relative to their spread, and what its precision may have."
        )
        lines = [
            [
                name_of(row),
                f"{row['proof']['relative_difference']:.1e}",
                f"{row['proof']['tolerance']:.0e}",
                whole_percent(row["proof"]["same_top_1"]),
                row["contender"]["remark"] or MISSING,
            ]
            for row in found
        ]
        yield table(["contender", "difference", "allowed", "same top token", "remark"], lines)


def _missing(rows: Sequence[Row]) -> Iterator[str]:
    lines = [
        [name_of(row), row["scenario"]["name"], row["status"], row["reason"] or MISSING]
        for row in rows
        if row["status"] != "measured"
    ]
    if lines:
        yield "## Not measured"
        yield table(["contender", "what", "", "why"], lines)


def _versions(rows: Sequence[Row]) -> Iterator[str]:
    found = {name_of(row): row["versions"] for row in rows if row.get("versions")}
    if found:
        yield "## Versions"
        yield table(
            ["contender", "packages"],
            [[name, ", ".join(f"{k} {v}" for k, v in sorted(versions.items()))] for name, versions in found.items()],
        )
