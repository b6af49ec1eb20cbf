"""Several prompts in one pass beside one after the other: `python -m benchmarks.micro.prompts_together --output FILE`.

Measures steps of several prompts with beams, the reading of a batch of prompts, and choices behind several prompts of
an abstract's length, of each bundle in one process. The two ways take turns, and their answers must be equal to the
last bit.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import biogpt_onnx
from benchmarks.full_size import PRESET, THREADS, random_prompt
from benchmarks.in_turns import PAUSE_SECONDS
from benchmarks.model_files import add_recipe_arguments, chosen_bundles
from benchmarks.results_file import output_file, stamp, summarized, write_results
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.results import Choices, Generation

PROMPT_TOKENS = 128
NEW_TOKENS = 13
BEAMS = 5
BEAM_PROMPTS = (2, 4, 6)
READ_PROMPTS = 8
CHOICE_PROMPTS = (270, 290, 310, 320, 330, 350, 370, 390)
"""Tokens of each prompt with choices."""
CHOICES = ("yes", "no", "maybe")
ROUNDS = 5

_ALONE, _TOGETHER = "one after the other", "together"


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how often each is measured (default {ROUNDS})")
    add_recipe_arguments(parser)
    parser.set_defaults(recipes=["fp32", "int8", "int4"])
    options = parser.parse_args()
    results: dict[str, Any] = stamp() | {
        "model": PRESET,
        "threads": THREADS,
        "prompt_tokens": PROMPT_TOKENS,
        "new_tokens": NEW_TOKENS,
        "num_beams": BEAMS,
        "rounds": options.rounds,
        "recipes": {},
    }
    with tempfile.TemporaryDirectory() as name:
        for recipe, bundle in chosen_bundles(options, Path(name)).items():
            with biogpt_onnx.load(bundle, device="cpu", threads=THREADS) as model:
                results["recipes"][recipe] = found = _measure(model, options.rounds)
            print(recipe, summarized(found), flush=True)
            # Written at once: what is measured is not lost when a later bundle fails.
            write_results(options.output, results)


def _measure(model: BioGPT, rounds: int) -> dict[str, object]:
    found: dict[str, object] = {}
    for count in BEAM_PROMPTS:
        prompts = [random_prompt(PROMPT_TOKENS, seed) for seed in range(count)]
        generate = partial(model.generate_ids, eos_token_id=None, num_beams=BEAMS, max_new_tokens=NEW_TOKENS)
        found[f"step of {count} x {BEAMS} beams"] = _in_turns(generate, prompts, rounds, _seconds_a_step)
    prompts = [random_prompt(PROMPT_TOKENS, seed) for seed in range(READ_PROMPTS)]
    read = partial(model.generate_ids, eos_token_id=None, max_new_tokens=1)
    found[f"reading {READ_PROMPTS} prompts"] = _in_turns(read, prompts, rounds)
    prompts = [random_prompt(tokens, seed) for seed, tokens in enumerate(CHOICE_PROMPTS)]
    choose = partial(model.choose_ids, choices=CHOICES)
    found[f"{len(CHOICES)} choices behind {len(prompts)} prompts"] = _in_turns(choose, prompts, rounds)
    return found


def _in_turns(
    answer_all: Callable[[list[list[int]]], Sequence[Any]],
    prompts: list[list[int]],
    rounds: int,
    seconds_of: Callable[[Any], float] | None = None,
) -> dict[str, object]:
    """Measures prompts in calls of their own and in one call; returns medians, their ratio and the samples.

    Args:
        answer_all: returns the answers to prompts, token ids of each.
        prompts: token ids of each prompt.
        rounds: number of samples of each way.
        seconds_of: returns the measured time of an answer, which prompts that are computed together share; None to
            measure whole calls.

    Raises:
        RuntimeError: the two ways gave different answers.
    """
    samples: dict[str, list[float]] = {_ALONE: [], _TOGETHER: []}
    for number in range(rounds + 1):
        sleep(PAUSE_SECONDS)
        began = perf_counter()
        one_by_one = [answer_all([ids])[0] for ids in prompts]
        alone = perf_counter() - began
        sleep(PAUSE_SECONDS)
        began = perf_counter()
        at_once = answer_all(prompts)
        together = perf_counter() - began
        if list(map(_comparable, one_by_one)) != list(map(_comparable, at_once)):
            raise RuntimeError("the answers of one call differ from those of a call for each prompt")
        if seconds_of is not None:
            alone, together = sum(map(seconds_of, one_by_one)), seconds_of(at_once[0])
        if number:  # the first round warms up
            samples[_ALONE].append(alone)
            samples[_TOGETHER].append(together)
    ratios = [after / before for before, after in zip(samples[_ALONE], samples[_TOGETHER], strict=True)]
    return {
        "seconds": {name: statistics.median(values) for name, values in samples.items()},
        "together_to_alone": statistics.median(ratios),
        "samples": samples,
    }


def _comparable(answer: Generation | Choices) -> object:
    return answer.choices if isinstance(answer, Choices) else answer.sequences


def _seconds_a_step(answer: Generation) -> float:
    return answer.timings.decode / answer.timings.steps


if __name__ == "__main__":
    main()
