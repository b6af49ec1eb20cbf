"""The numbers in the prose of the pages: each has a source, or stands in the list of those that are stated."""

import importlib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [str(path.relative_to(ROOT)) for path in (ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")))]

pytestmark = pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="runs in the checkout only")


@pytest.fixture
def figures() -> Any:
    return importlib.import_module("benchmarks.report.figures")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_number_with_a_unit_has_a_source_or_a_reason(figures: Any, page: str) -> None:
    assert list(figures.numbers_without_a_source(page, text_of(page))) == []


@pytest.mark.parametrize("page", PAGES)
def test_a_number_is_that_of_its_source(figures: Any, page: str) -> None:
    for figure in figures.figures_of(page):
        assert figure.in_page(text_of(page)) == text_of(page), figure.text


def test_what_is_listed_stands_in_a_page(figures: Any) -> None:
    assert {figure.page for figure in figures.read_figures()} <= set(PAGES)
    missing = [entry.text for entry in figures.read_stated() if text_of(entry.page).count(entry.text) != 1]
    assert missing == []
    assert [entry.text for entry in figures.read_stated() if not entry.reason] == []


@pytest.mark.parametrize(
    "sentence",
    [
        "A step takes 12.5 ms.",
        "It reads 1,200 tokens/s.",
        "It is three times as fast.",
        "It takes two minutes.",
        "It needs 14 GB of disk.",
        "It costs +0.5% of perplexity.",
        "An answer is a third shorter.",
        "A ratio of 1.4 x the floor.",
    ],
)
def test_a_new_number_is_noticed(figures: Any, sentence: str) -> None:
    assert len(list(figures.numbers_without_a_source("docs/index.md", f"# Page\n\n{sentence}\n"))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "```\nit takes 12 ms\n```\n",
        "`12 ms`",
        "<!-- some-what table: begin -->\n| 12 ms |\n<!-- some-what table: end -->\n",
        "Tens of times larger, with 24 layers of int8, version 0.1.0.",
    ],
)
def test_code_generated_tables_and_plain_counts_need_no_source(figures: Any, text: str) -> None:
    assert list(figures.numbers_without_a_source("docs/index.md", text)) == []


def figure(figures: Any, **changes: Any) -> Any:
    entry = {"page": "README.md", "text": "takes {} ms", "format": ".1f", "run": "a.json", "value": "parts/1/step"}
    return figures.Figure(**entry | {"scale": 1000} | changes)


def test_a_run_with_another_value_changes_the_page(figures: Any) -> None:
    run = {"parts": [{}, {"step": 0.0123}], "other": 0.5}
    found = figure(figures)
    assert found.in_page("It takes 9,000 ms now.", lambda _: run) == "It takes 12.3 ms now."
    ratio = figure(figures, per="other", scale=1, format=".4f")
    assert ratio.in_page("It takes 1 ms", lambda _: run) == "It takes 0.0246 ms"


@pytest.mark.parametrize("page", ["It takes long.", "It takes 1 ms, that takes 2 ms."])
def test_words_that_a_page_does_not_hold_once_are_an_error(figures: Any, page: str) -> None:
    with pytest.raises(figures.FigureError, match=r"README.md holds 'takes \{\} ms' [02] times"):
        figure(figures).in_page(page, lambda _: {"parts": [{}, {"step": 1}]})


def test_a_constant_is_read_from_the_code(figures: Any) -> None:
    entry = "biogpt_onnx.quantize.recipes:RECIPES/int4/max_perplexity_increase"
    assert figure(figures, constant=entry, scale=100, format=".0f").number() == "5"


CLAIMS = [
    (
        "docs/limits.md",
        "its relations are not to be told apart from those of co-occurrence in a sentence",
        "relations",
        "not to be told apart from {}",
    ),
    ("docs/limits.md", "with the entities given above these", "relations, entities given", "above {}"),
]


@pytest.mark.parametrize(("page", "words", "evaluation", "outcome"), CLAIMS)
def test_what_is_said_of_the_embedded_checkpoint_is_what_its_run_found(
    page: str, words: str, evaluation: str, outcome: str
) -> None:
    run = importlib.import_module("benchmarks.report.runs").read_run("task_quality.json")
    assert words in text_of(page)
    assert outcome.format("co-occurrence in a sentence") in run[evaluation]["summary"]


def test_its_answers_are_said_to_be_as_good_as_the_majoritys() -> None:
    run = importlib.import_module("benchmarks.report.runs").read_run("task_quality.json")
    standing = run["answers"]["standing"]
    (majority,) = standing["baselines"]
    assert standing["measures"]["accuracy"]["value"] <= majority["measures"]["accuracy"]["value"]
    assert "Its answers are no better than always saying yes." in text_of("README.md")
    assert 'its answers are no better than always saying "yes"' in text_of("docs/limits.md")
