"""Several prompts in one pass beside one after the other: `python -m benchmarks.micro.prompts_together --output FILE`.

Measures steps of several prompts with beams, and the reading of a batch of prompts, of each bundle in one process. The
two ways take turns, and their answers must be equal to the last bit.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import sleep
from typing import Any

import biogpt_onnx
from benchmarks.full_size import PRESET, THREADS, random_prompt
from benchmarks.model_files import add_recipe_arguments, chosen_bundles
from benchmarks.results_file import stamp, summarized, write_results
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.results import Generation

PROMPT_TOKENS = 128
NEW_TOKENS = 13
BEAMS = 5
BEAM_PROMPTS = (2, 4, 6)
READ_PROMPTS = 8
ROUNDS = 5

# ONNX Runtime's threads look for work for a while before they sleep, and would disturb whoever comes next.
_PAUSE_SECONDS = 0.1

_ALONE, _TOGETHER = "one after the other", "together"


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the JSON file to write")
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
        settings = {"num_beams": BEAMS, "max_new_tokens": NEW_TOKENS}
        found[f"step of {count} x {BEAMS} beams"] = _in_turns(model, prompts, settings, _seconds_a_step, rounds)
    prompts = [random_prompt(PROMPT_TOKENS, seed) for seed in range(READ_PROMPTS)]
    found[f"reading {READ_PROMPTS} prompts"] = _in_turns(
        model, prompts, {"max_new_tokens": 1}, lambda answer: answer.timings.prefill, rounds
    )
    return found


def _in_turns(
    model: BioGPT,
    prompts: Sequence[list[int]],
    settings: dict[str, int],
    seconds: Callable[[Generation], float],
    rounds: int,
) -> dict[str, object]:
    """Measures prompts in calls of their own and in one call; returns medians, their ratio and the samples.

    Args:
        model: the model.
        prompts: token ids of each prompt.
        settings: settings of the generation.
        seconds: returns the measured time of an answer; prompts that are computed together have that of all of them.
        rounds: number of samples of each way.

    Raises:
        RuntimeError: the two ways gave different answers.
    """

    def alone() -> list[Generation]:
        return [model.generate_ids([ids], eos_token_id=None, **settings)[0] for ids in prompts]

    def together() -> list[Generation]:
        return model.generate_ids(prompts, eos_token_id=None, **settings)

    samples: dict[str, list[float]] = {_ALONE: [], _TOGETHER: []}
    for number in range(rounds + 1):
        sleep(_PAUSE_SECONDS)
        one_by_one = alone()
        sleep(_PAUSE_SECONDS)
        at_once = together()
        if [answer.sequences for answer in one_by_one] != [answer.sequences for answer in at_once]:
            raise RuntimeError("the answers of one call differ from those of a call for each prompt")
        if number:  # the first round warms up
            samples[_ALONE].append(sum(map(seconds, one_by_one)))
            samples[_TOGETHER].append(seconds(at_once[0]))
    ratios = [after / before for before, after in zip(samples[_ALONE], samples[_TOGETHER], strict=True)]
    return {
        "seconds": {name: statistics.median(values) for name, values in samples.items()},
        "together_to_alone": statistics.median(ratios),
        "samples": samples,
    }


def _seconds_a_step(answer: Generation) -> float:
    return answer.timings.decode / answer.timings.steps


if __name__ == "__main__":
    main()
