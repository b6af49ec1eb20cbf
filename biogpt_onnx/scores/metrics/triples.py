"""DDI and KD-DTI: drugs, targets and interactions by their names.

Names differ in ways that do not matter, so Microsoft's evaluation scripts of the two tasks compare what is left of
them: letters and digits, without case, with the body or with the abbreviation in brackets. Each document has a
precision and a recall of its own, and these are averaged. `sample_metrics` gives the same numbers. `strict_metrics`
takes names as they are, and triples of all documents together.
"""

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import numpy as np

from biogpt_onnx.scores.metric import (
    FloatArray,
    Metric,
    check_lengths,
    harmonic_mean,
    match_counts,
    micro_metrics,
    ratio,
)
from biogpt_onnx.scores.triple_gold import Triple
from biogpt_onnx.tasks.results import Relations

_ROMAN = ("0", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
_NO_ALPHANUMERIC = re.compile("[^a-zA-Z0-9]+")


def predicted_triples(predictions: Sequence[Relations]) -> tuple[frozenset[Triple], ...]:
    """What a model stated of each document."""
    return tuple(
        frozenset((each.head, each.relation, each.tail) for each in prediction.relations) for prediction in predictions
    )


def sample_metrics(
    predicted: Sequence[AbstractSet[Triple]], gold: Sequence[AbstractSet[Triple]]
) -> tuple[Metric, Metric, Metric, Metric]:
    """F1, precision and recall averaged over documents, and the F1 of the averaged precision and recall.

    The first is what Microsoft's scripts print as "micro f1" and the last what they print as "macro f1". The paper
    reports the first: an F1 that is below both precision and recall can only be such an average.

    Raises:
        ConfigError: there are not as many predictions as gold answers.
    """
    check_lengths(predicted, gold)
    found = np.array([_precision_and_recall(said, true) for said, true in zip(predicted, gold, strict=True)])
    precision, recall = found[:, 0], found[:, 1]
    counts = np.stack([precision, recall, harmonic_mean(precision, recall), np.ones(len(gold))], axis=1)
    return (
        Metric("F1", counts, lambda sums: ratio(sums[..., 2], sums[..., 3])),
        Metric("precision", counts, lambda sums: ratio(sums[..., 0], sums[..., 3])),
        Metric("recall", counts, lambda sums: ratio(sums[..., 1], sums[..., 3])),
        Metric("F1 of the averages", counts, _f1_of_averages),
    )


def strict_metrics(
    predicted: Sequence[AbstractSet[Triple]], gold: Sequence[AbstractSet[Triple]]
) -> tuple[Metric, Metric, Metric]:
    """F1, precision and recall over the triples of all documents, which match if they are equal but for case.

    Raises:
        ConfigError: there are not as many predictions as gold answers.
    """
    return micro_metrics(
        match_counts([_lowered(each) for each in predicted], [_lowered(each) for each in gold]), "strict "
    )


def normalized_name(name: str) -> str:
    """A name without what does not tell names apart.

    A single digit at the end becomes the Roman number, in capitals. Names have been put into lower case before, so
    "type 2" and "type II" differ here, though they were meant to be the same: published scores are computed so.
    """
    name = name.strip()
    if len(name) > 2 and name[-1] in "0123456789" and not name[-2].isnumeric():  # noqa: PLR2004 -- two and a digit
        name = name[:-1] + _ROMAN[int(name[-1])]
    return _NO_ALPHANUMERIC.sub("", name.replace("-type", ""))


def without_brackets(name: str) -> str:
    """A normalized name without the brackets it may end with: "Epidermal growth factor (EGF)" without "EGF"."""
    name = name.strip()
    return normalized_name(name[: name.rfind("(")] if _has_brackets(name) else name)


def in_brackets(name: str) -> str:
    """What stands, normalized, in the brackets that a name may end with; the whole name where there are none."""
    name = name.strip()
    return normalized_name(name[name.rfind("(") + 1 : -1] if _has_brackets(name) else name)


def _has_brackets(name: str) -> bool:
    return "(" in name and name.endswith(")")


def _precision_and_recall(predicted: AbstractSet[Triple], gold: AbstractSet[Triple]) -> tuple[float, float]:
    """Those of one document, each with body or abbreviation as is better."""
    said, true = _compact(predicted), _compact(gold)
    forms = [
        ({tuple(map(form, triple)) for triple in said}, {tuple(map(form, triple)) for triple in true})
        for form in (in_brackets, without_brackets)
    ]
    precision = max(_share(names & others, names, others) for names, others in forms)
    recall = max(_share(names & others, others, names) for names, others in forms)
    return precision, recall


def _share(both: AbstractSet[object], whole: AbstractSet[object], other: AbstractSet[object]) -> float:
    """Which share of a whole is in both; of nothing, whether the other is nothing too."""
    return len(both) / len(whole) if whole else float(not other)


def _compact(triples: AbstractSet[Triple]) -> set[tuple[str, ...]]:
    return {tuple(part.strip().lower().replace(" ", "") for part in triple) for triple in triples}


def _lowered(triples: AbstractSet[Triple]) -> set[tuple[str, ...]]:
    return {tuple(part.strip().lower() for part in triple) for triple in triples}


def _f1_of_averages(sums: FloatArray) -> FloatArray:
    return harmonic_mean(ratio(sums[..., 0], sums[..., 3]), ratio(sums[..., 1], sums[..., 3]))
