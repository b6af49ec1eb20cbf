"""Time that drafts save where a text copies its source, and cost where it repeats nothing, at BioGPT's full size.

The weights are random, so what is generated is prescribed: a processor makes the next token of a real target the
likeliest. The model computes every step in full all the same.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.micro.search.draft_texts import LONGEST_TARGET, Example, examples_by_kind
from benchmarks.micro.search.paired_ratio import CONFIDENCE, paired_ratio
from biogpt_onnx.runtime.backends.cpu.backend import CpuBackend
from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.backends.protocol import Backend
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.decoding.search import run_search
from biogpt_onnx.runtime.decoding.state import SequenceState

DRAFT_TOKENS = 10
# 4 kinds of 5 documents of at most 48 tokens, 11 rounds of two ways at 50 ms a step: less than eighteen minutes, and
# half a minute to read the prompts.
DOCUMENTS = 5
ROUNDS = 10

_SEED = 0
_CERTAIN = np.float32(1e6)
_WAYS = {"plain": 0, "drafted": DRAFT_TOKENS}


class Decoded(NamedTuple):
    """A measured generation.

    Attributes:
        seconds: that decoding took, without reading the prompt.
        passes: of the model.
    """

    seconds: float
    passes: int


Decode = Callable[[int], Decoded]
"""Generates an example's target with drafts of so many tokens; 0 is without drafts."""


def measure(bundle: Path, folder: Path, data: Path | None, documents: int = DOCUMENTS) -> Mapping[str, object]:
    """Measures passes and seconds with drafts beside those without, for each kind of text.

    Args:
        bundle: of BioGPT's size.
        folder: for temporary files.
        data: see `examples_by_kind`.
        documents: of each kind.
    """
    backend = CpuBackend(DecoderSession(bundle, read_manifest(bundle)))
    generator = np.random.default_rng(_SEED)

    def decoder(example: Example) -> Decode:
        # Read once: only decoding is measured.
        return partial(_decode, backend, Prefix(backend, example.prompt), example)

    return {
        "draft_tokens": DRAFT_TOKENS,
        "rounds": ROUNDS,
        "longest_target": LONGEST_TARGET,
        "order_seed": _SEED,
        "confidence": CONFIDENCE,
        "kinds": {
            name: measure_kind(examples, decoder, generator)
            for name, examples in examples_by_kind(folder, data, documents).items()
        },
    }


def measure_kind(
    examples: Sequence[Example], decoder: Callable[[Example], Decode], generator: np.random.Generator
) -> Mapping[str, object]:
    """Measures all examples of a kind, one after the other.

    Args:
        examples: the kind's texts.
        decoder: makes of an example the function that generates its target.
        generator: decides which way comes first in each round.

    Returns:
        Passes and time beside those without drafts, the ratio of times with its interval, and the samples in seconds.
    """
    rows = [_measure_example(decoder(example), generator) for example in examples]
    ratio = paired_ratio(np.array([[row[way] for way in _WAYS] for row in rows]).transpose(0, 2, 1))
    tokens, passes = sum(len(example.target) for example in examples), sum(row["passes"] for row in rows)
    return {
        "documents": len(examples),
        "new_tokens": tokens,
        "passes": passes,
        "passes_to_plain": passes / tokens,
        "seconds_to_plain": ratio.value,
        "seconds_to_plain_interval": ratio.interval,
        "samples": rows,
    }


def _measure_example(decode: Decode, generator: np.random.Generator) -> dict[str, Any]:
    """Measures both ways in each round, in random order; a round before them warms both up and is not counted."""
    samples: dict[str, list[float]] = {way: [] for way in _WAYS}
    first: list[str] = []
    for _ in range(ROUNDS + 1):
        order = generator.permutation(list(_WAYS)).tolist()
        found = {way: decode(_WAYS[way]) for way in order}
        first.append(order[0])
        for way, decoded in found.items():
            samples[way].append(decoded.seconds)
    return {
        **{way: seconds[1:] for way, seconds in samples.items()},
        "first": first[1:],
        "passes": found["drafted"].passes,
    }


def _decode(
    backend: Backend[KeyValueCache], prefix: Prefix[KeyValueCache], example: Example, draft_tokens: int
) -> Decoded:
    def prescribe(ids: npt.NDArray[np.int64], logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        prescribed = logits.copy()
        prescribed[example.target[len(ids) - len(example.prompt)]] += _CERTAIN
        return prescribed

    config = GenerationConfig(
        max_new_tokens=len(example.target),
        eos_token_id=None,
        prompt_lookup_num_tokens=draft_tokens,
        logits_processors=[prescribe],
    )
    state = SequenceState(example.prompt, len(example.target), eos_token_id=None, prefix=prefix)
    start = perf_counter()
    passes = sum(1 for _ in run_search(backend, [Request([state])], config, Limits()))
    seconds = perf_counter() - start
    if tuple(state.token_ids) != example.target:
        raise RuntimeError("what was generated is not what was prescribed")
    return Decoded(seconds, passes)
