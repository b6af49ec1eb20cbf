"""The tables of servers under load and of the endurance run."""

from pathlib import Path
from typing import Any

import pytest

from makers.contenders import MACHINE, Scripts

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="runs in the checkout only")


def percentiles(median: float, p95: float | None = None) -> dict[str, float | int | None]:
    return {"count": 60, "p50": median, "p95": p95, "p99": None, "max": 2 * median}


def load(server: str, level: int, tokens: float, number: int = 0, measure: str = "closed") -> dict[str, Any]:
    return {
        "measure": measure,
        "server": server,
        "level": level,
        "number": number,
        "kind": "text",
        "load": {"seconds": 8.0},
        "tokens_per_second": tokens,
        "requests_per_minute": tokens / 2,
        "first_token": percentiles(0.25),
        "between_tokens": percentiles(0.050, 0.080),
        "errors": {"status 503": 1} if server == "theirs" else {},
        "unfinished": 2,
        "client_cpu_seconds": 0.16 if server == "ours" else None,
        "peak_resident_bytes": 500e6,
    }


@pytest.fixture
def run() -> dict[str, Any]:
    started = {"after_start": {"resident_bytes": 400e6}, "failed": None}
    loads = [load("ours", 8, 100.0), load("ours", 8, 140.0, 1), load("theirs", 8, 60.0), load("ours", 1, 40.0)]
    loads.append(load("ours-cache", 8, 150.0))
    arrivals = load("ours", 20, 30.0, measure="open") | {"kind": "chat-like"}
    reading = {"measure": "reading", "server": "ours", "level": 1, "number": 0, "kind": "text"}
    reading |= {"alone": percentiles(0.02), "to_ordinary": {"p50": 1.5, "p95": 2.25, "max": 2.4}}
    cost = {"measure": "cost", "server": "ours", "level": 8, "number": 0, "kind": "text"}
    speeds = {"one_after_the_other": 40.0, "bound": 150.0, "one_call": 160.0, "called": 130.0, "served": 126.0}
    cost |= {f"{name}_tokens_per_second": speed for name, speed in speeds.items()}
    cost |= {"served_to_called_seconds": 130 / 126}
    kinds = {"text": [64, 64, 128, 128], "chat-like": [32, 512, 16, 128]}
    return {
        "machine": MACHINE,
        "settings": {"model": "preset:biogpt", "threads": 2, "rows": 8, "kinds": kinds},
        "servers": {
            "ours": {"title": "ours, int8", "remark": "", **started},
            "ours-cache": {"title": "ours, int8, small cache", "remark": "", **started},
            "theirs": {"title": "theirs, int8", "remark": "without HTTP", **started},
            "broken": {"title": "another", "failed": "no compiler"},
        },
        "parts": {str(number): part for number, part in enumerate([*loads, arrivals, reading, cost])},
    }


def test_every_measure_has_its_table_with_ours_beside_the_best_other(benchmarks: Scripts, run: dict[str, Any]) -> None:
    text = benchmarks("report.tables.server").server_load_table(run)
    assert "each with BioGPT's size, random weights, in the precision that its name says" in text
    assert "Medians of 2 rounds. theirs, int8: without HTTP. another is left out: no compiler. Commit" in text
    assert "| ours, int8 | 400 MB | 500 MB | 0 | 2.0% |" in text
    assert "| theirs, int8 | 400 MB | 500 MB | 1 |  |" in text
    assert "text (64 tokens read, 128 written); tokens a second:" in text
    assert "|  | 1 client | 8 clients |" in text
    assert "| ours, int8 | 40 (20 requests/min) | 120 (60 requests/min) |" in text
    assert "| theirs, int8 |  | 60 (30 requests/min) |" in text
    assert "| ours, int8, beside the best other |  | 2.00 x |" in text
    assert "| ours, int8, small cache, beside the best other |  | 2.50 x |" in text
    assert "0.25 / – s; 50 / 80 ms |" in text
    assert "chat-like (32 to 512 tokens read, 16 to 128 written)" in text
    assert "50 / 80 ms; 2 unfinished |" in text
    assert "| ours, int8 | 20 ms; 1.50 / 2.25 / 2.40 x |" in text
    assert "| ours, int8; text (64 tokens read, 128 written) | 40 | 150 | 160 | 130 | 126 | +3.2% |" in text
    assert "| 126 | +3.2% | 0.84 x | 0.80 x | 3.15 x |" in text


def test_a_run_of_one_measure_has_its_table_alone(benchmarks: Scripts, run: dict[str, Any]) -> None:
    run["parts"] = {"only": next(part for part in run["parts"].values() if part["measure"] == "reading")}
    text = benchmarks("report.tables.server").server_load_table(run)
    assert "One round." in text
    assert "2.40 x" in text
    assert "Clients that ask" not in text
    assert "bound" not in text


def test_an_endurance_run_says_what_came_and_whether_all_held(benchmarks: Scripts) -> None:
    run: dict[str, Any] = {
        "machine": MACHINE,
        "requests": 10_000,
        "seconds": 250.4,
        "compared": 5_000,
        "different": 0,
        "num_wrong": 0,
        "growth": {"resident_bytes_per_thousand": 120_000.0, "threads": 0, "open_files": 0},
        "checks": {"memory_is_flat": True, "threads_do_not_grow": True},
        "counts": {"whole": 9_000, "wrong key": 1_000},
        "statuses": {"whole": {"429": 10, "200": 8_990}, "wrong key": {"401": 1_000}},
    }
    table = benchmarks("report.tables.server").endurance_table
    text = table(run)
    assert "10,000 requests to our server with the embedded checkpoint in 250 seconds." in text
    assert "memory grew by 0.12 MB for a thousand requests" in text
    assert "Every check held." in text
    assert "| whole | 9,000 | 200: 8,990, 429: 10 |" in text
    run["checks"]["memory_is_flat"] = False
    assert "Failed: memory is flat." in table(run)
