import copy
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx.bench.measuring.measures import measures, roofline_times
from biogpt_onnx.bench.report.comparison import compare_with_peers
from biogpt_onnx.bench.report.markdown_report import report
from biogpt_onnx.bench.report.plots import draw
from biogpt_onnx.bench.report.summary import summary
from biogpt_onnx.bench.rows import Row
from biogpt_onnx.bench.scenarios import Scenario, select
from makers.contenders import MACHINE, fake_contender

GREEDY, BEAMS, COLD = select(["p128-n32", "p128-n32-k5", "cold-start"])
WORKLOAD, LONG, BATCH = select(["BC5CDR", "p512-n32", "p128-n32-b4"])


@cache
def measured(scenario: Scenario, step: float) -> tuple[dict[str, Any], list[list[float]]]:
    """Measures of steps that take about so many seconds, and their samples. Whoever changes them must copy them."""
    count = scenario.new_tokens
    runs = [[step * (1 + 0.001 * number) * (10 + position) for position in range(count)] for number in range(6)]
    return measures(scenario, runs), runs


def measurement(name: str, family: str, scenario: Scenario, step: float, precision: str = "int8") -> Row:
    """A row of a contender whose steps take about so many seconds, and its prefill ten times that."""
    contender = fake_contender(name, family=family, precision=precision)
    found, runs = copy.deepcopy(measured(scenario, step))
    return {
        "format": 1,
        "kind": "measurement",
        "status": "measured",
        "reason": None,
        "contender": contender.describe(),
        "versions": {family: "1.0"},
        "scenario": vars(scenario),
        "threads": 2,
        "machine": MACHINE,
        "settings": {"min_runs": 6, "min_seconds": 3.0},
        "loading": {"load_seconds": 1.0, "resident_bytes": 10**9},
        "memory": {"peak_resident_bytes": 2 * 10**9},
        "limits": {"read_bandwidth": 3e10, "matmul_rate": 1e11},
        "measures": found,
        "floors": roofline_times(contender, scenario, found, 3e10, 1e11),
        "samples": {"token_seconds": runs, "first_token_seconds": None},
    }


def other(kind: str, name: str, scenario: str, status: str = "measured", **fields: Any) -> Row:
    row = measurement(name, "peers", GREEDY, 0.01)
    keep = {key: row[key] for key in ("format", "contender", "threads", "machine", "versions")}
    return keep | {"kind": kind, "status": status, "reason": None, "scenario": {"name": scenario}} | fields


def quality(name: str, twin: str, increase: float) -> Row:
    found = {
        "text": "a text",
        "documents": 16,
        "tokens": 1234,
        "perplexity_increase": {"value": increase, "interval": [increase - 0.001, increase + 0.001]},
        "top_1_agreement": {"value": 0.98, "interval": [0.97, 0.99]},
    }
    return other("quality", name, twin, quality=found)


def comparison(ours: float = 0.02, theirs: float = 0.01) -> list[Row]:
    rows = []
    for scenario in (GREEDY, BEAMS, WORKLOAD, LONG, BATCH, COLD):
        rows.append(measurement("biogpt-onnx int8", "biogpt-onnx", scenario, ours))
        rows.append(measurement("Rival int8", "rival", scenario, theirs))
    rows.append(measurement("biogpt-onnx int4", "biogpt-onnx", GREEDY, ours / 2.5, "int4"))
    rows += [quality("biogpt-onnx int8", "plain", 0.0001), quality("biogpt-onnx int8", "outliers", 0.0002)]
    rows += [quality("Rival int8", "plain", 0.001), quality("Rival int8", "outliers", 0.18)]
    proof = {"relative_difference": 0.01, "tolerance": 0.1, "same_top_1": 1.0}
    rows.append(other("proof", "Rival int8", "proof", proof=proof))
    rows.append(other("proof", "Lost int8", "proof", "unavailable", reason="it could not be installed"))
    return rows


def test_a_peer_that_is_ahead_is_said_to_be_ahead() -> None:
    text = report(comparison(ours=0.02, theirs=0.01))
    ahead = text.partition("A peer is ahead of us:")[2].partition("We are ahead")[0]
    assert (
        "- p128-n32, 2 threads, time per output token, 8 bits: Rival int8 10.0 ms, biogpt-onnx int8 20.0 ms (2.00 x)"
        in ahead
    ) or "Rival int8 10.0 ms, biogpt-onnx int8 20.1 ms" in ahead
    assert "- BC5CDR, 2 threads, end to end, 8 bits: Rival int8" in ahead
    assert "cold start" in ahead


def test_where_we_are_ahead_no_peer_is_said_to_be() -> None:
    text = report(comparison(ours=0.01, theirs=0.02))
    assert "A peer is ahead of us" not in text
    assert "We are ahead of every peer:" in text


def test_the_fastest_of_all_counts_besides_the_width() -> None:
    # Our 4 bits beat their 8, which beat our 8.
    found = {each.what: each.outcome for each in compare_with_peers(comparison())}
    assert found["p128-n32, 2 threads, time per output token, 8 bits"] == "behind"
    assert found["p128-n32, 2 threads, time per output token, any width"] == "ahead"
    assert "p128-n32, 2 threads, time per output token, 4 bits" not in found


def test_a_difference_within_the_noise_is_none() -> None:
    found = {each.what: each.outcome for each in compare_with_peers(comparison(ours=0.01, theirs=0.01001))}
    assert set(found.values()) <= {"level", "ahead"}
    assert found["p128-n32, 2 threads, time per output token, 8 bits"] == "level"
    rows = comparison(ours=0.011, theirs=0.01)
    for row in rows:
        for measure in row.get("measures", {}).values():
            measure["interval"] = [measure["p50"] * 0.8, measure["p50"] * 1.2]
    wide = {each.what: each.outcome for each in compare_with_peers(rows)}
    assert wide["p128-n32, 2 threads, time per output token, 8 bits"] == "level"


def test_ours_to_compare_with_is_no_sides_best_and_a_peers_is() -> None:
    dynamic = measurement("dynamic", "biogpt-onnx", GREEDY, 0.001)
    dynamic["contender"]["variant"] = "int8-dynamic"
    rows = [dynamic, measurement("ours", "biogpt-onnx", GREEDY, 0.02), measurement("theirs", "peers", GREEDY, 0.01)]
    assert {each.ours.name for each in compare_with_peers(rows)} == {"ours"}
    assert {each.outcome for each in compare_with_peers(rows) if "time" in each.what} == {"behind"}
    rows[2]["contender"]["variant"] = "int8-dynamic"
    assert {each.theirs.name for each in compare_with_peers(rows)} == {"theirs"}


def test_without_peers_nobody_is_ahead() -> None:
    rows = [row for row in comparison() if row["contender"]["family"] == "biogpt-onnx"]
    assert compare_with_peers(rows) == []
    assert "Where we stand" not in report(rows)


def test_the_report_has_every_part() -> None:
    text = report(comparison())
    assert "a processor with 2 cores (avx2), 8 GB of memory; commit 0123456789ab." in text
    assert "2 threads read 30.0 GB/s" in text
    assert "## p128-n32-k5, 2 threads" in text
    assert "BC5CDR, 242 to 16, 2 threads" in text
    assert "| Rival int8 | +0.10% (+0.00% to +0.20%) | 98.00% | +18.00%" in text
    assert "| Lost int8 | proof | unavailable | it could not be installed |" in text
    assert "| biogpt-onnx int4 | biogpt-onnx 1.0 |" in text
    # 186 inter-token latencies of 6 runs carry p90 and not p99.
    assert " / – |" in text


def test_the_readmes_table_says_where_a_peer_is_ahead() -> None:
    text = summary(comparison())
    assert text.index("biogpt-onnx int4") < text.index("Rival int8") < text.index("biogpt-onnx int8")
    assert "Of those in this table and of a cold start, a peer is ahead of us in:" in text
    assert "- p128-n32-k5, 2 threads, time per output token, 8 bits: Rival int8" in text
    assert "Not measured: Lost int8 (it could not be installed)." in text
    assert "In none of those in this table, nor of a cold start, is a peer ahead of us." in summary(
        comparison(ours=0.001)
    )


def test_a_peer_that_is_better_and_yet_level_is_listed() -> None:
    rows = comparison(ours=0.011, theirs=0.01)
    for row in rows:
        for measure in row.get("measures", {}).values():
            measure["interval"] = [measure["p50"] * 0.8, measure["p50"] * 1.2]
    listed = summary(rows).partition("with a peer's median better by more than 2 % (all scenarios):")[2]
    assert (
        "- p128-n32, 2 threads, time per output token, 8 bits: Rival int8 10.0 ms, biogpt-onnx int8 11.0 ms" in listed
    )
    assert "with a peer's median better" not in summary(comparison(ours=0.01, theirs=0.01001))


def test_another_number_would_show_in_the_readmes_table() -> None:
    rows = comparison()
    changed = copy.deepcopy(rows)
    changed[0]["measures"]["time_per_output_token"]["p50"] *= 2
    assert summary(changed) != summary(rows)


def test_nothing_measured_is_a_report_too() -> None:
    assert "Nothing was measured" in report([])
    lost = [row for row in comparison() if row["status"] == "unavailable"]
    assert "it could not be installed" in report(lost)


def test_pictures_have_labels_units_and_the_floor(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    written = {path.stem: path.read_text() for path in draw(comparison(), tmp_path)}
    assert set(written) == {
        "latency-by-variant", "latency-by-context", "throughput-by-batch", "quality-by-speed",
    }  # fmt: skip
    assert "floor: its weights read once" in written["latency-by-variant"]
    assert "time per output token, ms" in written["latency-by-context"]
    assert "prompts in a batch" in written["throughput-by-batch"]
    assert "perplexity beside float32, % more" in written["quality-by-speed"]
    again = tmp_path / "again"
    again.mkdir()
    assert {path.stem: path.read_text() for path in draw(comparison(), again)} == written


def test_a_picture_without_numbers_is_not_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert draw([measurement("int8", "biogpt-onnx", COLD, 0.1)], tmp_path) == []


def test_a_report_of_a_gpu_names_it_and_says_what_is_not_counted() -> None:
    row = measurement("mini on cuda", "biogpt-onnx", GREEDY, 0.001, "fp16")
    row["contender"]["device"], row["floors"] = "cuda", {}
    row["machine"] = MACHINE | {"gpus": [{"name": "NVIDIA Something"}]}
    text = report([row])
    assert "; NVIDIA Something; commit" in text
    assert "; what lies in a GPU's memory is not counted." in text
    line = next(line for line in text.splitlines() if line.startswith("| mini on cuda | "))
    assert line.endswith("| – | – |")
    assert "not counted" not in report([measurement("mini", "biogpt-onnx", GREEDY, 0.01)])
