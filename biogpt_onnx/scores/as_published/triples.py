"""DDI and KD-DTI counted as Microsoft's post-processing and `hard_match_evaluation.py` do.

Beside our own figures:

- Of several "and" the last one behind which "is" follows divides drug and target, where ours takes the one whose parts
  the document holds; and names are as the text spells them.
- A statement ends at a semicolon with one space behind it.
- A text whose first drug is called "failed" states nothing.
- Documents without a true triple are not counted; the preparation of the data leaves them out.
"""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from biogpt_onnx.scores.as_published.figures import PublishedFigures, check_countable, fraction, harmonic
from biogpt_onnx.scores.as_published.lines import FAILED, LineReader, StatementReader
from biogpt_onnx.scores.gold.gold_set import GoldSet
from biogpt_onnx.scores.gold.triples import Triple
from biogpt_onnx.scores.metrics.triples import in_brackets, without_brackets
from biogpt_onnx.tasks.published import KD_DTI
from biogpt_onnx.tasks.results import Relations
from biogpt_onnx.tasks.statements.template import HEAD, RELATION, TAIL

_READER = StatementReader(KD_DTI.statement, separator="; ", lines=LineReader(), strips=False)

Names = tuple[str, ...]
"""The names of a drug, a target and an interaction, or one name."""

_PARTS = {"drug": 0, "target": 1, "interaction": 2}


@dataclass
class _Sets:
    """The names of a document or of all, by what they name."""

    triples: set[Names] = field(default_factory=set)
    parts: dict[str, set[Names]] = field(default_factory=lambda: {name: set() for name in _PARTS})

    def add(self, triples: Iterable[Names]) -> None:
        """Adds triples and their parts."""
        for triple in triples:
            self.triples.add(triple)
            for name, place in _PARTS.items():
                self.parts[name].add((triple[place],))


def published_triples(gold_set: GoldSet[frozenset[Triple]], predictions: Sequence[Relations]) -> PublishedFigures:
    """Counts triples of each document and averages, and the triples that are stated anywhere.

    Args:
        gold_set: the documents with their gold triples.
        predictions: the model's relations of each document.

    Raises:
        ConfigError: no document has a triple.
    """
    kept = [
        (_stated(one.text), [(head, tail, relation) for head, relation, tail in gold])
        for gold, one in zip(gold_set.gold, predictions, strict=True)
        if gold
    ]
    check_countable(len(kept))
    pairs = [(_compact(stated), _compact(gold)) for stated, gold in kept]
    said, true = _Sets(), _Sets()
    for stated, gold in pairs:
        said.add(stated)
        true.add(gold)
    return PublishedFigures(
        "Microsoft's post-processing and `hard_match_evaluation.py`",
        documents=len(kept),
        failed=sum(not stated for stated, _ in kept),
        counts={
            "predicted": sum(len(stated) for stated, _ in pairs),
            "gold": sum(len(gold) for _, gold in pairs),
        },
        figures={**_of_documents(pairs), **_of_all(said, true)},
    )


def _stated(text: str) -> list[Names]:
    found: list[Names] = [(each[HEAD], each[TAIL], each[RELATION]) for each in _READER.statements(text)]
    return [] if found and found[0][0] == FAILED else found


def _compact(triples: Iterable[Names]) -> set[Names]:
    return {tuple(name.strip().lower().replace(" ", "") for name in triple) for triple in triples}


def _of_documents(pairs: Sequence[tuple[set[Names], set[Names]]]) -> dict[str, float]:
    documents = []
    for stated, gold in pairs:
        said, true = _Sets(), _Sets()
        said.add(stated)
        true.add(gold)
        precision, recall = _best(_precision, stated, gold), _best(_recall, stated, gold)
        accuracies = [_best(_accuracy, said.parts[name], true.parts[name]) for name in _PARTS]
        documents.append([*accuracies, precision, recall, harmonic(precision, recall)])
    # Plain sums, as the program's, so that not even the last digit differs.
    *accuracies, precision, recall, f1 = [sum(column) / len(documents) for column in zip(*documents, strict=True)]
    return {
        **{f"accuracy of the {name}": value for name, value in zip(_PARTS, accuracies, strict=True)},
        "precision": precision,
        "recall": recall,
        "micro f1": f1,
        "macro f1": harmonic(precision, recall),
    }


def _of_all(said: _Sets, true: _Sets) -> dict[str, float]:
    def scores(stated: AbstractSet[Names], gold: AbstractSet[Names]) -> tuple[float, float, float]:
        precision, recall = _best(_precision, stated, gold), _best(_recall, stated, gold)
        return precision, recall, harmonic(precision, recall)

    precision, recall, f1 = scores(said.triples, true.triples)
    return {
        **{f"ontology f1 of the {name}": scores(said.parts[name], true.parts[name])[2] for name in _PARTS},
        "ontology precision": precision,
        "ontology recall": recall,
        "ontology f1": f1,
    }


_Measure = Callable[[AbstractSet[Names], AbstractSet[Names]], float]


def _best(measure: _Measure, stated: AbstractSet[Names], gold: AbstractSet[Names]) -> float:
    """Returns the better of a measure by abbreviations in brackets and by the names before them."""
    return max(
        measure({tuple(map(form, each)) for each in stated}, {tuple(map(form, each)) for each in gold})
        for form in (in_brackets, without_brackets)
    )


def _precision(stated: AbstractSet[Names], gold: AbstractSet[Names]) -> float:
    return fraction(len(stated & gold), len(stated)) if stated else float(not gold)


def _recall(stated: AbstractSet[Names], gold: AbstractSet[Names]) -> float:
    return _precision(gold, stated)


def _accuracy(stated: AbstractSet[Names], gold: AbstractSet[Names]) -> float:
    return fraction(len(stated & gold), len(stated | gold)) if gold else float(not stated)
