"""Parity of a bundle with transformers, in every way in which the runtime uses the graph."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from biogpt_onnx.export.parity_report import (
    TOP_K,
    LogitsComparison,
    ParityReport,
    TokensComparison,
    Tolerance,
    Verdict,
)
from biogpt_onnx.runtime.backends.protocol import Backend
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.selection.token_selection import NextTokenSelector
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.decoding.strategies.stepwise import stepwise_search
from biogpt_onnx.runtime.errors import CheckpointError
from biogpt_onnx.runtime.tokenizer.vocabulary import EOS_ID, SPECIAL_TOKENS

Logits = npt.NDArray[np.float32]


class Reference(Protocol):
    """Reference model that a bundle is compared with."""

    @property
    def vocab_size(self) -> int:
        """Entries of a row of logits."""
        ...

    @property
    def max_positions(self) -> int:
        """Longest sequence, in tokens."""
        ...

    def logits(self, ids: Sequence[int]) -> Logits:
        """Returns the logits after each token, [len(ids), vocab]."""
        ...

    def left_padded_logits(self, batch: Sequence[Sequence[int]]) -> list[Logits]:
        """Returns each row's logits [len(row), vocab], from one left-padded batch."""
        ...

    def greedy(self, ids: Sequence[int], max_new_tokens: int) -> list[int]:
        """Returns `max_new_tokens` new tokens by greedy search, in which no token ends the sequence."""
        ...


def compare_with(  # noqa: PLR0913 -- what is compared, and how far
    session: Backend[Any],
    reference: Reference,
    *,
    prompts: Sequence[Sequence[int]] = (),
    tolerance: Tolerance | None = None,
    longest: int = 96,
    max_new_tokens: int = 32,
) -> ParityReport:
    """Compares a bundle with a reference in every way in which the runtime uses the graph.

    Args:
        session: session of the bundle.
        reference: reference model.
        prompts: token ids of texts, which are compared beside random ids.
        tolerance: largest allowed difference of a logit; by default one for the spread of the reference's logits.
        longest: tokens of the longest sequence; fewer where the model has fewer positions.
        max_new_tokens: tokens of each greedy search.

    Raises:
        CheckpointError: vocabulary or positions of the two differ in size.
    """
    for what in ("vocab_size", "max_positions"):
        ours, theirs = getattr(session, what), getattr(reference, what)
        if ours != theirs:
            raise CheckpointError(
                f"the checkpoint is of another model: its {what} is {theirs:,}, the bundle's {ours:,}"
            )
    longest = min(longest, session.max_positions)
    batch = random_batch(session, longest)
    expected = [reference.logits(ids) for ids in batch]
    tolerance = tolerance or Tolerance.for_spread(float(np.concatenate(expected).std(axis=-1).mean()))
    ways: dict[str, Callable[[], list[Logits]]] = {
        "without cache": lambda: [_in_chunks(session, ids, [len(ids)]) for ids in batch],
        "with cache": lambda: [_in_chunks(session, ids, [1] * len(ids)) for ids in batch],
        "chunked prefill": lambda: [_in_chunks(session, ids, _thirds(len(ids))) for ids in batch],
        "batched steps": lambda: _in_one_batch(session, batch),
    }
    comparisons = [compare_logits(name, way(), expected, tolerance) for name, way in ways.items()]
    padded = reference.left_padded_logits(batch)
    comparisons.append(compare_logits("left-padded batch", ways["without cache"](), padded, tolerance))
    if prompts:
        texts = [list(ids)[:longest] for ids in prompts]
        theirs = [reference.logits(ids) for ids in texts]
        ours = [_in_chunks(session, ids, [len(ids)]) for ids in texts]
        comparisons.append(compare_logits("texts", ours, theirs, tolerance))
    # Without the longest prompt, which may fill all positions and leave no room for new tokens.
    tokens = _compare_greedy(session, reference, batch[:-1], min(max_new_tokens, longest // 2), tolerance)
    return ParityReport(tuple(comparisons), tokens, tolerance)


def random_batch(session: Backend[Any], longest: int) -> list[list[int]]:
    """Returns sequences of random ids, of several lengths up to `longest` and the model's positions, shortest first."""
    # Any ids show whether the arithmetic agrees.
    generator = np.random.default_rng(0)
    longest = min(longest, session.max_positions)
    lengths = sorted({1, 2, longest // 3 + 1, longest})
    return [_random_ids(generator, length, session.vocab_size) for length in lengths]


def _random_ids(generator: np.random.Generator, length: int, vocab_size: int) -> list[int]:
    ids = generator.integers(len(SPECIAL_TOKENS), vocab_size, size=length - 1)
    return [EOS_ID, *ids.tolist()]


def _thirds(length: int) -> list[int]:
    third = length // 3
    return [size for size in (third, third, length - 2 * third) if size]


def _in_chunks(session: Backend[Any], ids: Sequence[int], sizes: Sequence[int]) -> Logits:
    cache = session.new_cache(1, len(ids))
    row = np.array([ids], dtype=np.int64)
    parts, start = [], 0
    for size in sizes:
        parts.append(session.forward(row[:, start : start + size], cache, logits_indices=np.arange(size)))
        start += size
    return np.concatenate(parts)


def _in_one_batch(session: Backend[Any], batch: Sequence[Sequence[int]]) -> list[Logits]:
    # Rows of unequal lengths, as in a greedy search: the shortest ends first, and the batch shrinks.
    results: list[list[Logits]] = [[] for _ in batch]
    cache, active = session.new_cache(len(batch), max(map(len, batch))), list(range(len(batch)))
    for step in range(max(map(len, batch))):
        slots = [slot for slot, row in enumerate(active) if step < len(batch[row])]
        if len(slots) < len(active):
            cache, active = cache.keep(slots), [active[slot] for slot in slots]
        logits = session.forward(np.array([[batch[row][step]] for row in active]), cache)
        for slot, row in enumerate(active):
            results[row].append(logits[slot : slot + 1])
    return [np.concatenate(parts) for parts in results]


def compare_logits(name: str, ours: list[Logits], theirs: list[Logits], tolerance: Tolerance) -> LogitsComparison:
    """Compares logits, or other values, of several sequences.

    Args:
        name: name of the way in which ours were computed.
        ours: bundle's values of each sequence, [rows, features].
        theirs: reference's.
        tolerance: largest allowed difference.
    """
    got, expected = np.concatenate(ours), np.concatenate(theirs)
    difference = np.abs(got - expected)
    close = bool(np.all(difference <= tolerance.absolute + tolerance.relative * np.abs(expected)))
    order = np.argsort(-expected, axis=-1, kind="stable")[:, :TOP_K]
    ours_top = np.argsort(-got, axis=-1, kind="stable")[:, :TOP_K]
    return LogitsComparison(
        name=name,
        verdict=Verdict.PASS if close else Verdict.FAIL,
        num_tokens=len(expected),
        largest_difference=float(difference.max()),
        mean_difference=float(difference.mean()),
        top_1_agreement=float(np.mean(ours_top[:, 0] == order[:, 0])),
        top_k_overlap=float(np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(ours_top, order, strict=True)])),
        smallest_margin=float(_margins(expected).min()),
    )


def _margins(logits: Logits) -> Logits:
    if logits.shape[-1] == 1:
        # A single label's is decided by its sign.
        return np.abs(logits[:, 0])
    best = -np.partition(-logits, 1, axis=-1)[:, :2]
    return best[:, 0] - best[:, 1]


def _compare_greedy(
    session: Backend[Any],
    reference: Reference,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    tolerance: Tolerance,
) -> tuple[TokensComparison, ...]:
    """Compares the reference's greedy tokens with those of each prompt alone, and of all prompts in one batch."""
    config = GenerationConfig(max_new_tokens=max_new_tokens, min_new_tokens=max_new_tokens)
    expected = [reference.greedy(ids, max_new_tokens) for ids in prompts]
    margins = [_greedy_margins(reference, prompt, tokens) for prompt, tokens in zip(prompts, expected, strict=True)]
    alone = [_greedy(session, [ids], config)[0] for ids in prompts]
    together = _greedy(session, prompts, config)
    return tuple(
        _compare_tokens(name, ours, expected, margins, tolerance)
        for name, ours in (("greedy search", alone), ("greedy search, batch", together))
    )


def _greedy(session: Backend[Any], prompts: Sequence[Sequence[int]], config: GenerationConfig) -> list[list[int]]:
    states = [SequenceState(tuple(ids), config.most_new_tokens(len(ids))) for ids in prompts]
    for _ in stepwise_search(session, states, NextTokenSelector(config), Limits()):
        pass
    return [state.token_ids for state in states]


def _greedy_margins(reference: Reference, prompt: Sequence[int], tokens: Sequence[int]) -> Logits:
    logits = reference.logits([*prompt, *tokens[:-1]])[len(prompt) - 1 :].copy()
    # Neither search may end a sequence.
    logits[:, EOS_ID] = -np.inf
    return _margins(logits)


def _compare_tokens(
    name: str,
    ours: Sequence[Sequence[int]],
    expected: Sequence[Sequence[int]],
    margins: Sequence[Logits],
    tolerance: Tolerance,
) -> TokensComparison:
    verdicts, equal = [], 0
    for got, wanted, row_margins in zip(ours, expected, margins, strict=True):
        # Behind the first difference the two continue different texts, which cannot be compared.
        same = next((at for at, pair in enumerate(zip(got, wanted, strict=True)) if pair[0] != pair[1]), len(wanted))
        equal += same
        if same < len(wanted):
            verdicts.append(Verdict.AMBIGUOUS if row_margins[same] <= 2 * tolerance.absolute else Verdict.FAIL)
    return TokensComparison(
        name=name,
        verdict=Verdict.FAIL if Verdict.FAIL in verdicts else verdicts[0] if verdicts else Verdict.PASS,
        num_tokens=sum(map(len, expected)),
        num_equal=equal,
        smallest_margin=float(min(row.min() for row in margins)),
    )
