"""Many callers of one model at BioGPT's size: `python -m benchmarks.micro.concurrency --output FILE`.

Several clients ask for a text at once, in four ways that take turns: one call after the other, a thread for each call,
`model.concurrent`, and all prompts in one call, which callers that do not know of each other cannot have. Then a text
is written while the long prompt of another caller is read, and the times between its tokens are taken.
"""

import argparse
import statistics
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import biogpt_onnx
from benchmarks.full_size import PRESET, THREADS, random_prompt
from benchmarks.model_files import make_recipe_bundles
from benchmarks.results_file import output_file, stamp, write_results
from biogpt_onnx.runtime.engine import BioGPT

PROMPT_TOKENS = 64
NEW_TOKENS = 64
LONG_PROMPT_TOKENS = 512
STREAMED_TOKENS = 64
TOKENS_BEFORE = 16
ROUNDS = 3


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    parser.add_argument("--recipe", default="int8", help="recipe of the bundle (default int8)")
    parser.add_argument("--clients", type=int, default=8, help="calls at a time (default 8)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        results = stamp()
        bundle = make_recipe_bundles(Path(name), [options.recipe])[options.recipe]
        model = biogpt_onnx.load(bundle, device="cpu", threads=THREADS)
        # As servers load it, whose callers share passes.
        served = biogpt_onnx.load(bundle, device="cpu", threads=THREADS, mixed_passes=True)
        found = {
            "model": PRESET,
            "recipe": options.recipe,
            "threads": THREADS,
            "clients": options.clients,
            "prompt_tokens": PROMPT_TOKENS,
            "new_tokens": NEW_TOKENS,
            "long_prompt_tokens": LONG_PROMPT_TOKENS,
            "rounds": ROUNDS,
            "ways": _throughput(model, served, options.clients),
            "reading": _while_reading(model, served),
        }
        write_results(options.output, results | found)


def _throughput(model: BioGPT, served: BioGPT, clients: int) -> dict[str, dict[str, object]]:
    prompts = [random_prompt(PROMPT_TOKENS, seed) for seed in range(clients)]

    def one(asked: BioGPT, prompt: list[int]) -> tuple[int, ...]:
        return asked.generate_ids([prompt], max_new_tokens=NEW_TOKENS, eos_token_id=None)[0].token_ids

    def each_in_a_thread(asked: BioGPT) -> list[tuple[int, ...]]:
        with ThreadPoolExecutor(clients) as pool:
            return list(pool.map(lambda prompt: one(asked, prompt), prompts))

    def together() -> list[tuple[int, ...]]:
        answers = model.generate_ids(prompts, max_new_tokens=NEW_TOKENS, eos_token_id=None)
        return [answer.token_ids for answer in answers]

    with served.concurrent(max_rows=clients) as shared:
        ways: dict[str, Callable[[], list[tuple[int, ...]]]] = {
            "one after the other": lambda: [one(model, prompt) for prompt in prompts],
            "a thread each": lambda: each_in_a_thread(model),
            "concurrent": lambda: each_in_a_thread(shared),
            "one call": together,
        }
        expected = together()
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(ROUNDS + 1):
            for name, answers in ways.items():
                began = perf_counter()
                equal = answers() == expected
                if number:  # the first round warms up
                    seconds[name].append(perf_counter() - began)
                if not equal:
                    raise RuntimeError(f"{name}: other tokens than in one call")
    tokens = clients * NEW_TOKENS
    return {
        name: {"tokens_per_second": tokens / statistics.median(each), "samples": each} for name, each in seconds.items()
    }


def _while_reading(model: BioGPT, served: BioGPT) -> dict[str, dict[str, object]]:
    """Returns the times between the tokens of a text alone, and while another caller's long prompt is read."""
    found: dict[str, dict[str, object]] = {}
    with served.concurrent(max_rows=2) as shared:
        for name, asked in (("a thread each", model), ("concurrent", shared)):
            alone: list[float] = []
            beside: list[float] = []
            for number in range(ROUNDS + 1):
                one, other = _gaps(asked)
                if number:
                    alone += one
                    beside += other
            step = statistics.median(alone)
            found[name] = {
                "step_seconds": step,
                "while_reading_seconds": statistics.median(beside),
                "while_reading_to_step": statistics.median(beside) / step,
                "longest_to_step": max(beside) / step,
                "num_while_reading": len(beside),
                "samples": {"alone": alone, "while_reading": beside},
            }
    return found


def _gaps(model: BioGPT) -> tuple[list[float], list[float]]:
    times: list[float] = []
    ended: list[float] = []
    begun = threading.Event()

    def watch(_ids: object, logits: object) -> object:
        times.append(perf_counter())
        if len(times) == TOKENS_BEFORE:
            begun.set()
        return logits

    def read_long() -> None:
        begun.wait()
        ended.append(perf_counter())
        model.generate_ids([random_prompt(LONG_PROMPT_TOKENS, 99)], max_new_tokens=1, eos_token_id=None)
        ended.append(perf_counter())

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read_long)
        model.generate_ids(
            [random_prompt(PROMPT_TOKENS)],
            max_new_tokens=STREAMED_TOKENS,
            eos_token_id=None,
            logits_processors=[watch],  # type: ignore[list-item]  # called when a step's logits are there
        )
        reading.result()
    begin, end = ended
    gaps = list(pairwise(times))
    alone = [later - earlier for earlier, later in gaps[1:] if later <= begin]
    beside = [later - earlier for earlier, later in gaps if later > begin and earlier < end]
    return alone, beside


if __name__ == "__main__":
    main()
