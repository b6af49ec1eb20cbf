import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("benchmarks/**/*.md")),
    *sorted(ROOT.glob("checkpoints/*/*.md")),
]

pytestmark = pytest.mark.skipif(not (ROOT / "README.md").is_file(), reason="runs in the checkout only")


@pytest.fixture
def pages() -> Any:
    return importlib.import_module("benchmarks.report.pages")


def test_the_pages_numbers_are_those_of_the_committed_runs(pages: Any) -> None:
    for page in pages.PAGES:
        text = page.path.read_text(encoding="utf-8")
        assert page.with_tables(text) == text, page.path.name


def test_the_pages_pictures_are_the_committed_ones(pages: Any) -> None:
    for copy, picture in pages.PICTURES.items():
        assert copy.read_bytes() == picture.read_bytes()


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


def coarser_layers(run: dict[str, Any]) -> None:
    run["limits"][0]["layers"] = {"int4": 16}


CHANGES = [
    ("QUANTIZE", "automatic_recipe.json", coarser_layers),
    ("QUANTIZE", "quantized_vnni.json", larger_bundle),
    ("README", "quantized_vnni.json", larger_bundle),
    ("BENCHMARKS", "fp32.json", slower_step),
    ("BENCHMARKS", "search.json", slower_beams),
    ("BENCHMARKS", "quantized.json", larger_bundle),
    ("BENCHMARKS", "quantized_vnni.json", larger_bundle),
    ("BENCHMARKS", "shared_weights.json", more_memory),
    ("BENCHMARKS", "quality.json", worse_int8),
    ("BENCHMARKS", "task_speed.json", slower_tasks),
    ("BENCHMARKS", "task_quality.json", better_relations),
    ("BENCHMARKS", "compare.jsonl", slower_peers),
    ("BENCHMARKS", "compare_vnni.jsonl", slower_first_tokens_of_ours),
    ("BENCHMARKS", "compare_avx2.jsonl", slower_first_tokens_of_ours),
    ("README", "compare.jsonl", slower_peers),
]


@pytest.mark.parametrize(("page_name", "name", "change"), CHANGES)
def test_another_number_would_show(
    pages: Any, page_name: str, name: str, change: Callable[[dict[str, Any]], None]
) -> None:
    page = getattr(pages, page_name)
    text = page.path.read_text(encoding="utf-8")

    def read_changed(asked: str) -> dict[str, Any]:
        run: dict[str, Any] = pages.read_run(asked)
        if asked == name:
            change(run)
        return run

    assert page.with_tables(text, read_changed) != text


def test_a_page_without_the_marks_of_a_table_says_which_it_lacks(pages: Any) -> None:
    with pytest.raises(pages.PageError, match=r"README.md lacks the lines <!-- comparison: begin --> and"):
        pages.README.with_tables("# biogpt-onnx\n")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_document_leads_somewhere(path: Path) -> None:
    targets = [part.partition(")")[0].partition("#")[0] for part in path.read_text(encoding="utf-8").split("](")[1:]]
    here = [target for target in targets if target and not target.startswith("http")]
    assert [target for target in here if not (path.parent / target).exists()] == []


def test_the_readme_has_links() -> None:
    assert "](" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_sentence_of_a_document_has_two_marks_of_punctuation_where_one_belongs(path: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`\n]*`", "code", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert re.findall(r"\S*[,;:][,;.](?=\s|$)", prose) == []
