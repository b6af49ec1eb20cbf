"""What scoring BC5CDR found."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores.concept_gold import ConceptPair
from biogpt_onnx.scores.concept_pairs import num_unknown, predicted_pairs
from biogpt_onnx.scores.cooccurrence import pairs_in_documents, pairs_in_sentences
from biogpt_onnx.scores.gold_set import GoldSet
from biogpt_onnx.scores.metric import match_counts, micro_metrics
from biogpt_onnx.scores.resampling import Resampling
from biogpt_onnx.scores.standing import Standing, System, standing
from biogpt_onnx.tasks.published import BC5CDR
from biogpt_onnx.tasks.registry import task_spec
from biogpt_onnx.tasks.results import Relations


@dataclass(frozen=True)
class ConceptReport:
    """Relations between chemicals and diseases by their MeSH ids.

    Attributes:
        task: the task's name.
        standing: micro F1, precision and recall of the model, of co-occurrence and perhaps of another model.
        predicted: different pairs that the model stated.
        gold: pairs that are true.
        matched: pairs that are both.
        unknown: predicted ones with an entity of which the lexicon does not say what it is.
    """

    task: str
    standing: Standing
    predicted: int
    gold: int
    matched: int
    unknown: int

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {"task": self.task} | self.standing.summary() | dataclasses.asdict(self)

    def to_markdown(self) -> str:
        """The report for people to read."""
        counted = (
            f"{self.predicted:,} pairs predicted, {self.gold:,} true, {self.matched:,} both; {self.unknown:,} "
            "predicted ones name an entity of which the lexicon does not know the concept."
        )
        title = task_spec(self.task).title
        parts = [f"# {title}", self.standing.sentences(), *self.standing.tables(), counted, self.standing.method()]
        return "\n\n".join(parts) + "\n"


def report_concepts(  # noqa: PLR0913 -- what is scored, and how it is called
    gold_set: GoldSet[frozenset[ConceptPair]],
    predictions: Sequence[Relations],
    second: Sequence[Relations] | None = None,
    *,
    task: str = BC5CDR.name,
    names: tuple[str, str] = ("the model", "the other model"),
    resampling: Resampling | None = None,
) -> ConceptReport:
    """Scores what one or two models stated, and what co-occurrence finds.

    Args:
        gold_set: the documents, with their lexicon.
        predictions: the model's, of each document.
        second: another model's, likewise.
        task: the task's name.
        names: what the two are called.
        resampling: how intervals and tests draw documents.

    Raises:
        ConfigError: there are not as many predictions as documents, or there is no lexicon.
    """
    lexicon, gold = gold_set.lexicon, gold_set.gold
    if lexicon is None:
        raise ConfigError(f"the gold set of {task} has no lexicon: read it with read_gold")

    def system(name: str, predicted: Sequence[frozenset[ConceptPair]]) -> System:
        return System(name, micro_metrics(match_counts(predicted, gold)))

    pairs = predicted_pairs(predictions, lexicon)
    model = system(names[0], pairs)
    baselines = [
        system("co-occurrence in a sentence", pairs_in_sentences(gold_set.documents, lexicon)),
        system("co-occurrence in a document", pairs_in_documents(gold_set.documents, lexicon)),
    ]
    other = None if second is None else system(names[1], predicted_pairs(second, lexicon))
    matched, predicted, true = map(int, model.metrics[0].counts.sum(axis=0))
    compared = standing(model, baselines, other, resampling)
    return ConceptReport(task, compared, predicted, true, matched, num_unknown(pairs))
