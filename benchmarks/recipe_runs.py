"""Runs that measure bundles of several recipes, one after the other, and write the results as they come."""

import argparse
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.model_files import add_recipe_arguments, chosen_bundles
from benchmarks.results_file import output_file, summarized, write_results


def recipe_options(description: str | None, rounds: int) -> argparse.Namespace:
    """Returns the options of the command line: the output, the recipes or bundles, and the rounds.

    Args:
        description: of the program.
        rounds: how often each is measured by default.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    add_recipe_arguments(parser)
    parser.add_argument("--rounds", type=int, default=rounds, help=f"how often each is measured (default {rounds})")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}: give 1 or more")
    return options


def measure_recipes(
    options: argparse.Namespace, results: Mapping[str, object], measure: Callable[[Path, int], Mapping[str, Any]]
) -> None:
    """Measures the bundle of each recipe, and writes the results after each.

    Args:
        options: as `recipe_options` returns them.
        results: what is true of all recipes.
        measure: takes a bundle and the number of rounds.
    """
    recipes: dict[str, Mapping[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for recipe, bundle in chosen_bundles(options, Path(folder)).items():
            recipes[recipe] = measure(bundle, options.rounds)
            print(recipe, summarized(recipes[recipe]), flush=True)
            write_results(options.output, {**results, "recipes": recipes})
