import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(not (ROOT / "README.md").is_file(), reason="runs in the checkout only")


@pytest.fixture
def report() -> ModuleType:
    spec = importlib.util.spec_from_file_location("report", ROOT / "benchmarks" / "report.py")
    if spec is None or spec.loader is None:
        raise AssertionError("benchmarks/report.py is not there")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readmes_numbers_are_those_of_the_committed_runs(report: ModuleType) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert report.readme_with_all(text) == text


def slower_step(run: dict[str, Any]) -> None:
    run["decoding"]["medians"]["mapped"]["step_seconds"] *= 2


def slower_beams(run: dict[str, Any]) -> None:
    run["beams"]["beam_step_to_greedy_step"] *= 2


def larger_bundle(run: dict[str, Any]) -> None:
    run["recipes"]["int8"]["bundle_bytes"] *= 2


def worse_int8(run: dict[str, Any]) -> None:
    run["twins"]["plain"]["int8"]["perplexity_increase"]["value"] += 0.5


def more_memory(run: dict[str, Any]) -> None:
    run["recipes"]["int8"]["shared"]["computed"]["second_private_to_first"] *= 2


def slower_tasks(run: dict[str, Any]) -> None:
    run["tasks"]["bc5cdr"]["documents_per_minute"]["batches"] /= 2


def better_relations(run: dict[str, Any]) -> None:
    run["relations"]["standing"]["measures"]["F1"]["value"] += 0.5


def slower_peers(run: dict[str, Any]) -> None:
    for row in run["rows"]:
        for measure in row.get("measures", {}).values():
            measure["p50"] *= 2


def slower_first_tokens_of_ours(run: dict[str, Any]) -> None:
    for row in run["rows"]:
        measure = row.get("measures", {}).get("time_to_first_token")
        if row["contender"]["family"] == "biogpt-onnx" and measure is not None:
            measure |= {"p50": measure["p50"] * 9, "interval": None}


CHANGES = [
    ("fp32.json", slower_step),
    ("search.json", slower_beams),
    ("quantized.json", larger_bundle),
    ("shared_weights.json", more_memory),
    ("quality.json", worse_int8),
    ("task_speed.json", slower_tasks),
    ("task_quality.json", better_relations),
    ("compare.jsonl", slower_peers),
    ("compare_avx2.jsonl", slower_first_tokens_of_ours),
]


@pytest.mark.parametrize(("name", "change"), CHANGES)
def test_another_number_would_show(report: ModuleType, name: str, change: Callable[[dict[str, Any]], None]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    def read_changed(asked: str) -> dict[str, Any]:
        run: dict[str, Any] = report.read_run(asked)
        if asked == name:
            change(run)
        return run

    assert report.readme_with_all(text, read_changed) != text


def test_every_link_of_the_readme_leads_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = [part.partition(")")[0] for part in text.split("](")[1:]]
    assert targets
    assert [target for target in targets if not target.startswith("http") and not (ROOT / target).exists()] == []
