"""Beam search at BioGPT's full size: ours, its own greedy search, and transformers, in turns."""

import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.full_size import random_prompt
from benchmarks.micro.worker import Samples, after_a_pause, worker
from biogpt_onnx.runtime.backends.cpu.backend import CpuBackend
from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.decoding.search import run_search
from biogpt_onnx.runtime.decoding.state import SequenceState

PROMPT_TOKENS = 128
ROUNDS = 10
BATCH_ROUNDS = 2
STEPS = 12
BEAMS = 5
BATCH = 4
# Not counted: transformers' beam search allocates in them.
_FIRST_STEPS = 2


@dataclass(frozen=True)
class Case:
    """A search that is measured.

    Attributes:
        kind: of the worker that searches.
        prompts: how many are searched in one call.
        num_beams: of each prompt.
    """

    kind: str
    prompts: int
    num_beams: int


CASES = {
    "greedy": Case("prepacked", 1, 1),
    "beams": Case("prepacked", 1, BEAMS),
    "beams_batch": Case("prepacked", BATCH, BEAMS),
    "transformers_greedy": Case("transformers", 1, 1),
    "transformers_beams": Case("transformers", 1, BEAMS),
    "transformers_beams_batch": Case("transformers", BATCH, BEAMS),
}


def measure(bundle: Path, source: Path, threads: int) -> Mapping[str, object]:
    """Measures greedy and beam search of ours and of transformers in turns.

    Args:
        bundle: of BioGPT's size.
        source: the same weights as a Hugging Face folder.
        threads: of each model.

    Returns:
        Medians in seconds, their ratios, the cache's tokens, and the samples.
    """
    samples: dict[str, list[Samples]] = {name: [] for name in CASES}
    with ExitStack() as stack:
        workers = {
            "prepacked": stack.enter_context(worker("prepacked", bundle, threads)),
            "transformers": stack.enter_context(worker("transformers", source, threads)),
        }
        for number in range(ROUNDS + 1):
            for name, case in CASES.items():
                # A batch takes transformers most of a minute.
                if case.prompts > 1 and number > BATCH_ROUNDS:
                    continue
                prompts = [random_prompt(PROMPT_TOKENS, row) for row in range(case.prompts)]
                found = after_a_pause(workers[case.kind].measure_search, prompts, STEPS, case.num_beams)
                if number:  # the first round warms up
                    samples[name].append(found)
    steps = {name: _step_seconds(rows) for name, rows in samples.items()}
    prefill = {name: statistics.median(row.prefill for row in rows) for name, rows in samples.items()}
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "num_beams": BEAMS,
        "batch": BATCH,
        "rounds": ROUNDS,
        "batch_rounds": BATCH_ROUNDS,
        "steps_per_round": STEPS - _FIRST_STEPS,
        "step_seconds": steps,
        "prefill_seconds": prefill,
        "beam_step_to_greedy_step": steps["beams"] / steps["greedy"],
        "beam_step_to_transformers": steps["beams"] / steps["transformers_beams"],
        "beam_prefill_to_greedy_prefill": prefill["beams"] / prefill["greedy"],
        "beam_prefill_to_transformers": prefill["beams"] / prefill["transformers_beams"],
        "batch_step_to_transformers": steps["beams_batch"] / steps["transformers_beams_batch"],
        "cache": _cache(bundle),
        "samples": {name: [row._asdict() for row in rows] for name, rows in samples.items()},
    }


def measure_long(bundle: Path, num_beams: int, new_tokens: int) -> Mapping[str, object]:
    """Counts the tokens that a long search has in its cache at most."""
    most, _ = _most_tokens(bundle, (2, 5, 6), num_beams, new_tokens)
    return {"num_beams": num_beams, "new_tokens": new_tokens, "most_tokens_in_cache": most}


def _step_seconds(rows: Sequence[Samples]) -> float:
    """Computes the median seconds of one step of all prompts."""
    return statistics.median(seconds for row in rows for seconds in row.steps[_FIRST_STEPS:])


def _cache(bundle: Path) -> Mapping[str, object]:
    """Measures the cache that five beams of 64 tokens behind the prompt need, in tokens and bytes."""
    new_tokens = 64
    most, cache = _most_tokens(bundle, tuple(random_prompt(PROMPT_TOKENS)), BEAMS, new_tokens)
    allowed = PROMPT_TOKENS + BEAMS * new_tokens
    return {
        "new_tokens": new_tokens,
        "capacity_tokens": cache.capacity,
        "most_tokens": most,
        "prompt_and_beams_times_new_tokens": allowed,
        "most_to_that": most / allowed,
        "bytes_a_token": cache.buffer.nbytes // cache.capacity,
    }


def _most_tokens(bundle: Path, prompt: tuple[int, ...], num_beams: int, new_tokens: int) -> tuple[int, KeyValueCache]:
    """Searches, and returns the most tokens that were in its cache at once, and the cache."""
    session = _RememberingSession(bundle)
    config = GenerationConfig(max_new_tokens=new_tokens, num_beams=num_beams, eos_token_id=None)
    request = Request([SequenceState(prompt, new_tokens, eos_token_id=None)])
    steps = run_search(CpuBackend(session), [request], config, Limits())
    most = max(int(session.caches[0].lengths[0]) for _ in steps)
    if len(request.states[0].token_ids) != new_tokens:
        raise RuntimeError(f"the search ended before {new_tokens} tokens")
    return most, session.caches[0]


class _RememberingSession(DecoderSession):
    """A session that keeps the caches it made, to be looked at."""

    def __init__(self, bundle: Path) -> None:
        super().__init__(bundle, read_manifest(bundle))
        self.caches: list[KeyValueCache] = []

    def new_cache(self, batch_size: int, capacity: int) -> KeyValueCache:
        """Makes a cache and keeps it."""
        self.caches.append(super().new_cache(batch_size, capacity))
        return self.caches[-1]
