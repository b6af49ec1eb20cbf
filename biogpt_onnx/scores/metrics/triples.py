"""Metrics of DDI and KD-DTI: drugs, targets and interactions by their names.

Microsoft's evaluation scripts of the two tasks compare normalized names: letters and digits, without case, with the
body or with the abbreviation in brackets. Each document has a precision and a recall of its own, and these are
averaged; `sample_metrics` gives the numbers of these scripts. `strict_metrics` compares names as they are, and counts
the triples of all documents together.
"""

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import numpy as np

from biogpt_onnx.reporting.bootstrap import FloatArray
from biogpt_onnx.reporting.rates import Metric
from biogpt_onnx.scores.gold.triples import Triple
from biogpt_onnx.scores.metrics.counts import check_lengths, harmonic_mean, match_counts, micro_metrics, ratio
from biogpt_onnx.tasks.results import Relations

_ROMAN = ("0", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
_NO_ALPHANUMERIC = re.compile("[^a-zA-Z0-9]+")


def predicted_triples(predictions: Sequence[Relations]) -> tuple[frozenset[Triple], ...]:
    """Returns the triples that a model stated of each document."""
    return tuple(
        frozenset((each.head, each.relation, each.tail) for each in prediction.relations) for prediction in predictions
    )


def sample_metrics(
    predicted: Sequence[AbstractSet[Triple]], gold: Sequence[AbstractSet[Triple]]
) -> tuple[Metric, Metric, Metric, Metric]:
    """Returns F1, precision and recall averaged over documents, and the F1 of the averaged precision and recall.

    Microsoft's scripts print the first as "micro f1" and the last as "macro f1". The paper reports the first: an F1
    that is below both precision and recall can only be such an average.

    Args:
        predicted: the predicted triples of each document.
        gold: the gold triples of each document.

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
    """Returns F1, precision and recall over the triples of all documents, which match if they are equal but for case.

    Args:
        predicted: the predicted triples of each document.
        gold: the gold triples of each document.

    Raises:
        ConfigError: there are not as many predictions as gold answers.
    """
    return micro_metrics(
        match_counts([_lowered(each) for each in predicted], [_lowered(each) for each in gold]), "strict "
    )


def normalized_name(name: str) -> str:
    """Normalizes a name as Microsoft's scripts do: letters and digits alone, without "-type".

    A single digit at the end becomes a Roman number in capitals. Names are in lower case before, so "type 2" and "type
    II" still differ, though the scripts mean to equate them: published scores are computed so.
    """
    name = name.strip()
    if len(name) > 2 and name[-1] in "0123456789" and not name[-2].isnumeric():  # noqa: PLR2004 -- two and a digit
        name = name[:-1] + _ROMAN[int(name[-1])]
    return _NO_ALPHANUMERIC.sub("", name.replace("-type", ""))


def without_brackets(name: str) -> str:
    """Normalizes a name without the brackets it may end with: "epidermal growth factor (egf)" without "egf"."""
    name = name.strip()
    return normalized_name(name[: name.rfind("(")] if _has_brackets(name) else name)


def in_brackets(name: str) -> str:
    """Normalizes the content of the brackets that a name may end with; the whole name if it has none."""
    name = name.strip()
    return normalized_name(name[name.rfind("(") + 1 : -1] if _has_brackets(name) else name)


def _has_brackets(name: str) -> bool:
    return "(" in name and name.endswith(")")


def _precision_and_recall(predicted: AbstractSet[Triple], gold: AbstractSet[Triple]) -> tuple[float, float]:
    """Returns precision and recall of one document, each with bodies or abbreviations, whichever is better."""
    said, true = _compact(predicted), _compact(gold)
    forms = [
        ({tuple(map(form, triple)) for triple in said}, {tuple(map(form, triple)) for triple in true})
        for form in (in_brackets, without_brackets)
    ]
    precision = max(_share(names & others, names, others) for names, others in forms)
    recall = max(_share(names & others, others, names) for names, others in forms)
    return precision, recall


def _share(both: AbstractSet[object], whole: AbstractSet[object], other: AbstractSet[object]) -> float:
    """Returns the share of a whole that is in both; of an empty whole, 1 if the other is empty too, else 0."""
    return len(both) / len(whole) if whole else float(not other)


def _compact(triples: AbstractSet[Triple]) -> set[tuple[str, ...]]:
    return {tuple(part.strip().lower().replace(" ", "") for part in triple) for triple in triples}


def _lowered(triples: AbstractSet[Triple]) -> set[tuple[str, ...]]:
    return {tuple(part.strip().lower() for part in triple) for triple in triples}


def _f1_of_averages(sums: FloatArray) -> FloatArray:
    return harmonic_mean(ratio(sums[..., 0], sums[..., 3]), ratio(sums[..., 1], sums[..., 3]))
