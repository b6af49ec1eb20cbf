"""What scoring DDI or KD-DTI found."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from biogpt_onnx.scores.gold_set import GoldSet
from biogpt_onnx.scores.resampling import Resampling
from biogpt_onnx.scores.standing import Standing, System, standing
from biogpt_onnx.scores.triple_gold import Triple
from biogpt_onnx.scores.triple_metrics import predicted_triples, sample_metrics, strict_metrics
from biogpt_onnx.tasks.registry import task_spec
from biogpt_onnx.tasks.results import Relations


@dataclass(frozen=True)
class TripleReport:
    """Interactions of drugs, by names.

    Attributes:
        task: the task's name.
        standing: the metrics of Microsoft's script, then the strict ones, of the model and perhaps of another one.
        predicted: different triples that the model stated, strictly.
        gold: triples that are true.
        matched: triples that are both.
    """

    task: str
    standing: Standing
    predicted: int
    gold: int
    matched: int

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {"task": self.task} | self.standing.summary() | dataclasses.asdict(self)

    def to_markdown(self) -> str:
        """The report for people to read."""
        title = task_spec(self.task).title
        counted = (
            f"{self.predicted:,} triples predicted, {self.gold:,} true, {self.matched:,} both but for case. F1, "
            "precision and recall are averages over documents, of names without what does not tell them apart; the "
            "strict ones are over the triples of all documents, of names as they are."
        )
        parts = [f"# {title}", self.standing.sentences(), *self.standing.tables(), counted, self.standing.method()]
        return "\n\n".join(parts) + "\n"


def report_triples(  # noqa: PLR0913 -- what is scored, and how it is called
    task: str,
    gold_set: GoldSet[frozenset[Triple]],
    predictions: Sequence[Relations],
    second: Sequence[Relations] | None = None,
    *,
    names: tuple[str, str] = ("the model", "the other model"),
    resampling: Resampling | None = None,
) -> TripleReport:
    """Scores what one or two models stated.

    Args:
        task: the task's name.
        gold_set: the documents.
        predictions: the model's, of each document.
        second: another model's, likewise.
        names: what the two are called.
        resampling: how intervals and tests draw documents.

    Raises:
        ConfigError: there are not as many predictions as documents.
    """

    def system(name: str, found: Sequence[Relations]) -> System:
        triples = predicted_triples(found)
        return System(name, (*sample_metrics(triples, gold_set.gold), *strict_metrics(triples, gold_set.gold)))

    model = system(names[0], predictions)
    other = None if second is None else system(names[1], second)
    matched, predicted, true = map(int, model.metrics[-1].counts.sum(axis=0))
    return TripleReport(task, standing(model, [], other, resampling), predicted, true, matched)
