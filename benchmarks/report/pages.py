"""Pages that hold tables of committed runs, each table between two marks, and figures in their prose."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.processes import CHECKOUT
from benchmarks.report.figures import Figure, FigureError, figures_of, read_figures
from benchmarks.report.runs import Run, path_of, read_run
from benchmarks.report.tables.comparison import comparison_elsewhere, comparison_table, headline_table
from benchmarks.report.tables.corpus import (
    corpus_division_table,
    corpus_layer_table,
    corpus_prepare_table,
    corpus_ray_table,
    full_texts_table,
)
from benchmarks.report.tables.coverage import coverage_table
from benchmarks.report.tables.memory import quantizing_table, small_memory_table
from benchmarks.report.tables.prompts import prompts_table, prompts_together_table
from benchmarks.report.tables.recipes import (
    automatic_recipe_table,
    quantized_cache_table,
    recipe_quality_table,
    recipe_speed_table,
    static_scales_table,
)
from benchmarks.report.tables.robustness import fuzzing_table, kills_table, mutation_table
from benchmarks.report.tables.runtime import (
    browser_table,
    concurrency_table,
    float32_table,
    huge_pages_table,
    shared_weights_table,
    start_up_table,
)
from benchmarks.report.tables.search import search_table
from benchmarks.report.tables.server import endurance_table, long_run_table, server_load_table
from benchmarks.report.tables.tasks import (
    task_quality_table,
    task_speed_elsewhere,
    task_speed_table,
    windows_table,
)


class PageError(Exception):
    """A page cannot hold its tables; says why in one line."""


class Table(NamedTuple):
    """A table of a page.

    Attributes:
        run: the name of the committed run's file.
        make: makes the Markdown of the run.
    """

    run: str
    make: Callable[[Run], str]


@dataclass(frozen=True)
class Page:
    """A Markdown file with tables and with figures in its prose.

    Attributes:
        path: the file.
        tables: by the name in their marks, `<!-- NAME: begin -->` and `<!-- NAME: end -->`.
        figures: the numbers in its prose that have a source.
    """

    path: Path
    tables: Mapping[str, Table]
    figures: Sequence[Figure] = ()

    def with_tables(self, text: str, read: Callable[[str], Run] = read_run) -> str:
        """Returns the page's text with every table and figure as its run has it.

        A table whose run is not committed stays as it is.

        Args:
            text: of the page.
            read: returns a run by its file's name.

        Raises:
            PageError: the text lacks the marks of a table, or the words of a figure.
        """
        for name, table in self.tables.items():
            if path_of(table.run).is_file():
                text = _with_table(text, name, table.make(read(table.run)), self.path)
        try:
            for figure in self.figures:
                text = figure.in_page(text, read)
        except FigureError as error:
            raise PageError(str(error)) from error
        return text


README = Page(CHECKOUT / "README.md", {"comparison": Table("compare.jsonl", headline_table)}, figures_of("README.md"))

BENCHMARKS = Page(
    CHECKOUT / "docs" / "benchmarks.md",
    {
        "comparison": Table("compare.jsonl", comparison_table),
        "comparison with VNNI": Table("compare_vnni.jsonl", comparison_elsewhere("compare_vnni.md")),
        "comparison with AVX2": Table("compare_avx2.jsonl", comparison_elsewhere("compare_avx2.md")),
        "comparison of BioGPT-Large": Table("compare_large_avx2.jsonl", comparison_table),
        "numbers": Table("fp32.json", float32_table),
        "start-up numbers": Table("start_up.json", start_up_table),
        "search numbers": Table("search.json", search_table),
        "quantized numbers": Table("quantized.json", recipe_speed_table),
        "quantized VNNI numbers": Table("quantized_vnni.json", recipe_speed_table),
        "quantized AMX numbers": Table("quantized_amx.json", recipe_speed_table),
        "small memory": Table("small_memory.json", small_memory_table),
        "quantizing": Table("quantizing.json", quantizing_table),
        "shared numbers": Table("shared_weights.json", shared_weights_table),
        "browser numbers": Table("web.json", browser_table),
        "huge pages numbers": Table("huge_pages.json", huge_pages_table),
        "concurrency numbers": Table("concurrency.json", concurrency_table),
        "server load": Table("server_load.json", server_load_table),
        "server endurance": Table("endurance.json", endurance_table),
        "long run": Table("long_run.json", long_run_table),
        "corpus prepare": Table("corpus_prepare.json", corpus_prepare_table),
        "corpus layer": Table("corpus_layer.json", corpus_layer_table),
        "corpus division": Table("corpus_division.json", corpus_division_table),
        "corpus on Ray": Table("corpus_ray.json", corpus_ray_table),
        "full texts": Table("corpus_full_texts.json", full_texts_table),
        "static scales numbers": Table("static_scales.json", static_scales_table),
        "prompts": Table("prompts.json", prompts_table),
        "prompts together": Table("prompts_together.json", prompts_together_table),
        "quantized cache": Table("quantized_cache.json", quantized_cache_table),
        "quality numbers": Table("quality.json", recipe_quality_table),
        "task speed numbers": Table("task_speed.json", task_speed_table),
        "task speed elsewhere": Table("task_speed_avx2.json", task_speed_elsewhere),
        "task quality numbers": Table("task_quality.json", task_quality_table),
        "windows numbers": Table("windows.json", windows_table),
        "coverage numbers": Table("coverage.json", coverage_table),
        "kills": Table("kills.json", kills_table),
        "fuzzing": Table("fuzzing.json", fuzzing_table),
        "mutation": Table("mutation.json", mutation_table),
    },
    figures_of("docs/benchmarks.md"),
)

QUANTIZE = Page(
    CHECKOUT / "docs" / "quantize.md",
    {"automatic recipe": Table("automatic_recipe.json", automatic_recipe_table)},
    figures_of("docs/quantize.md"),
)

_WITH_TABLES = (README, BENCHMARKS, QUANTIZE)

_FIGURES_ALONE = sorted(
    {figure.page for figure in read_figures()} - {str(page.path.relative_to(CHECKOUT)) for page in _WITH_TABLES}
)

PAGES = (*_WITH_TABLES, *(Page(CHECKOUT / name, {}, figures_of(name)) for name in _FIGURES_ALONE))

PICTURES = {
    CHECKOUT / "docs" / "images" / "latency-by-variant.svg": path_of("plots/latency-by-variant.svg"),
    CHECKOUT / "docs" / "images" / "long-run.svg": path_of("plots/long-run.svg"),
}
"""Pictures of the pages, and the committed ones of which they are copies: the site holds only what lies in docs."""


def _with_table(text: str, name: str, table: str, path: Path) -> str:
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise PageError(f"{path.name} lacks the lines {begin} and {end}: put them where the table belongs")
    return f"{before}{begin}\n{table}\n{end}{after}"
