"""Comparison of answers that may differ where rounding decides, by float32's logits at the place where they part."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.gpu.parts import Found
from biogpt_onnx import BioGPT

Tokens = Sequence[int]

LIMITS = {"fp16": 0.012, "bf16": 0.14}
"""Largest allowed difference of a logit from float32's, as a share of the standard deviation of float32's logits.

Four times the largest difference among all logits of 640 tokens where, on a CPU, each operation's result is rounded to
16 bits: 0.0030 and 0.034.
"""


@dataclass(frozen=True)
class Nearness:
    """Comparison of answers by the float32 bundle's logits.

    Attributes:
        exact: the float32 bundle on the CPU.
        limit: how far a logit may be from its own; one of `LIMITS`.
    """

    exact: BioGPT
    limit: float

    def of_tokens(self, prompts: Sequence[Tokens], ours: Sequence[Tokens], theirs: Sequence[Tokens]) -> Found:
        """Compares greedy continuations, a row a prompt.

        Where two part, the tokens are close if float32's logits of both are, by twice the limit: each of the two may
        be off by once.
        """
        differences = [
            difference | self._greedy(logits, difference["ours"], difference["theirs"])
            for difference, logits in self._partings(prompts, ours, theirs)
        ]
        return _verdict(len(ours), differences)

    def of_samples(
        self, prompts: Sequence[Tokens], ours: Sequence[Tokens], theirs: Sequence[Tokens], top_k: int
    ) -> Found:
        """Compares samples drawn with the same random numbers.

        A number picks the token at its place among the probabilities, summed in the vocabulary's order. Where two
        samples part, the tokens are close if little probability lies between them.
        """
        differences = []
        for difference, logits in self._partings(prompts, ours, theirs):
            between = _probability_between(logits, top_k, difference["ours"], difference["theirs"])
            close = between is not None and between <= 2 * self.limit * float(logits.std())
            differences.append(difference | {"probability_between": between, "close": close})
        return _verdict(len(ours), differences)

    def _partings(
        self, prompts: Sequence[Tokens], ours: Sequence[Tokens], theirs: Sequence[Tokens]
    ) -> Iterator[tuple[Found, npt.NDArray[np.float32]]]:
        """Yields the first difference of each row that has one, and float32's logits there."""
        for row, (prompt, mine, other) in enumerate(zip(prompts, ours, theirs, strict=True)):
            position = first_difference(mine, other)
            if position is not None:
                yield (
                    _difference(row, position, mine, other),
                    self.exact.logits([*prompt, *mine[:position]])[-1],
                )

    def of_best(self, prompts: Sequence[Tokens], ours: Sequence[Tokens], theirs: Sequence[Tokens]) -> Found:
        """Compares the likeliest sequences that searches found.

        Other sequences are close if float32 finds ours no less likely by more than twice the limit, per token.
        """
        differences = []
        for row, (prompt, mine, other) in enumerate(zip(prompts, ours, theirs, strict=True)):
            position = first_difference(mine, other)
            if position is not None:
                (mean, spread), (other_mean, _) = (self._mean_log_probability(prompt, ids) for ids in (mine, other))
                differences.append(
                    {
                        "row": row,
                        "position": position,
                        "log_probability_per_token": {"ours": mean, "theirs": other_mean},
                        "close": mean >= other_mean - 2 * self.limit * spread,
                    }
                )
        return _verdict(len(ours), differences)

    def _greedy(self, logits: npt.NDArray[np.float32], mine: int | None, other: int | None) -> Found:
        second, first = np.sort(logits)[-2:].tolist()
        spread = float(logits.std())
        found = {"likeliest_two_apart": first - second, "spread": spread}
        if mine is None or other is None:
            return found | {"apart": None, "close": False}
        apart = abs(float(logits[mine]) - float(logits[other]))
        return found | {"apart": apart, "close": apart <= 2 * self.limit * spread}

    def _mean_log_probability(self, prompt: Tokens, ids: Tokens) -> tuple[float, float]:
        """Computes the mean log-probability of the tokens after a prompt, and the spread of the logits."""
        logits = self.exact.logits([*prompt, *ids])[len(prompt) - 1 : -1].astype(np.float64)
        largest = logits.max(axis=1, keepdims=True)
        normalizers = largest[:, 0] + np.log(np.exp(logits - largest).sum(axis=1))
        return float(np.mean(logits[np.arange(len(ids)), list(ids)] - normalizers)), float(logits.std())


def first_difference(ours: Tokens, theirs: Tokens) -> int | None:
    """Returns where two sequences part, or the shorter one ends; None where they are equal."""
    if list(ours) == list(theirs):
        return None
    pairs = enumerate(zip(ours, theirs, strict=False))
    return next((place for place, (mine, other) in pairs if mine != other), min(len(ours), len(theirs)))


def _difference(row: int, position: int, ours: Tokens, theirs: Tokens) -> Found:
    mine, other = (ids[position] if position < len(ids) else None for ids in (ours, theirs))
    return {"row": row, "position": position, "ours": mine, "theirs": other}


def _probability_between(
    logits: npt.NDArray[np.float32], top_k: int, one: int | None, other: int | None
) -> float | None:
    if one is None or other is None:
        return None
    kept = np.sort(np.argsort(-logits)[:top_k])
    weights = np.exp(logits[kept].astype(np.float64) - float(logits.max()))
    between = (kept > min(one, other)) & (kept < max(one, other))
    return float(weights[between].sum() / weights.sum())


def _verdict(rows: int, differences: list[Found]) -> Found:
    return {
        "passed": all(difference["close"] for difference in differences),
        "rows": rows,
        "equal": rows - len(differences),
        "differences": differences,
    }
