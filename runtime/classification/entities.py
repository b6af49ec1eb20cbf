"""Entities from the labels of tokens, by the rules of transformers' `TokenClassificationPipeline`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.classification.results import EntitySpan
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.tokenizer.spans import TokenSpan

AggregationStrategy = Literal["first", "average", "max", "simple"]
"""The ways to join the tokens of a word: its first token decides, the mean of all, or the most certain one; "simple"
takes each token for a word."""

OUTSIDE = "O"
"""The label of tokens that belong to no entity."""

Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Unit:
    """A word, or with the strategy "simple" a token, with its label."""

    start: int
    end: int
    label: str
    probability: float


def check_strategy(strategy: object) -> None:
    """Refuses an unknown strategy.

    Raises:
        ConfigError: there is no such strategy.
    """
    known = get_args(AggregationStrategy)
    if strategy not in known:
        raise ConfigError(f"aggregation_strategy is {strategy!r}: choose one of {', '.join(known)}")


def entities_of(
    text: str,
    tokens: Sequence[TokenSpan],
    probabilities: Probabilities,
    labels: Sequence[str],
    strategy: AggregationStrategy,
) -> tuple[EntitySpan, ...]:
    """Joins tokens to words, and words next to each other to entities.

    A word's label begins a new entity if it begins with "B-", or if its type is not that of the word before. A label
    without "B-" and "I-" counts as one with "I-". Words of the label `OUTSIDE` make no entity.

    Args:
        text: text of the tokens.
        tokens: tokens in order.
        probabilities: probability of each label for each token, [tokens, labels].
        labels: names of the labels.
        strategy: way to join the tokens of a word.
    """
    units = list(_units(tokens, probabilities, labels, strategy))
    return tuple(_entity(text, group) for group in _groups(units) if group[0].label != OUTSIDE)


def _units(
    tokens: Sequence[TokenSpan], probabilities: Probabilities, labels: Sequence[str], strategy: AggregationStrategy
) -> Iterator[_Unit]:
    rows = list(zip(tokens, probabilities, strict=True))
    word_of: Callable[[tuple[int, tuple[TokenSpan, Probabilities]]], int] = (
        (lambda numbered: numbered[0]) if strategy == "simple" else (lambda numbered: numbered[1][0].word)
    )
    for _, numbered in groupby(enumerate(rows), key=word_of):
        parts = [part for _, part in numbered]
        joined = _JOINED[strategy](np.stack([row for _, row in parts]))
        best = int(joined.argmax())
        yield _Unit(parts[0][0].start, parts[-1][0].end, labels[best], float(joined[best]))


_JOINED: Mapping[str, Callable[[Probabilities], Probabilities]] = {
    "first": lambda rows: rows[0],
    "simple": lambda rows: rows[0],
    "average": lambda rows: rows.mean(axis=0),
    "max": lambda rows: rows[rows.max(axis=1).argmax()],
}


def _groups(units: Sequence[_Unit]) -> list[list[_Unit]]:
    groups: list[list[_Unit]] = []
    for unit in units:
        begins, kind = _parsed(unit.label)
        if groups and not begins and _parsed(groups[-1][-1].label)[1] == kind:
            groups[-1].append(unit)
        else:
            groups.append([unit])
    return groups


def _parsed(label: str) -> tuple[bool, str]:
    """Returns True for a label that begins an entity, and the entity's type."""
    return label.startswith("B-"), label[2:] if label.startswith(("B-", "I-")) else label


def _entity(text: str, units: Sequence[_Unit]) -> EntitySpan:
    start, end = units[0].start, units[-1].end
    probability = float(np.mean([unit.probability for unit in units]))
    return EntitySpan(text[start:end], start, end, _parsed(units[0].label)[1], probability)
