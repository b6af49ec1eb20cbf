"""Report of the scores of DDI and KD-DTI."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from biogpt_onnx.reporting.bootstrap import Resampling
from biogpt_onnx.scores.as_published.figures import PublishedFigures, published_section
from biogpt_onnx.scores.as_published.triples import published_triples
from biogpt_onnx.scores.gold.gold_set import GoldSet
from biogpt_onnx.scores.gold.triples import Triple
from biogpt_onnx.scores.metrics.triples import predicted_triples, sample_metrics, strict_metrics
from biogpt_onnx.scores.reports.comparison import Comparison, System, compare_systems, models_by_name, report_fields
from biogpt_onnx.tasks.registry import task_title
from biogpt_onnx.tasks.results import Relations


@dataclass(frozen=True)
class TripleReport:
    """Report of drugs' interactions, by names.

    Attributes:
        task: the task's name.
        comparison: the metrics of Microsoft's script, then the strict ones, of the model and perhaps of another one.
        predicted: number of triples that the model stated and that differ in more than case.
        gold: number of gold triples that differ in more than case.
        matched: number of triples that are both.
        published: each model's figures as Microsoft's programs count them, by its name; empty if not asked for.
    """

    task: str
    comparison: Comparison
    predicted: int
    gold: int
    matched: int
    published: dict[str, PublishedFigures] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Returns the whole report as fields for JSON."""
        return report_fields(self)

    def to_markdown(self) -> str:
        """Returns the report in Markdown."""
        title = task_title(self.task)
        counted = (
            f"{self.predicted:,} triples predicted, {self.gold:,} true, {self.matched:,} both but for case. F1, "
            "precision and recall are averages over documents, of names without what does not tell them apart; the "
            "strict ones are over the triples of all documents, of names as they are."
        )
        parts = [
            f"# {title}",
            self.comparison.sentences(),
            *self.comparison.tables(),
            counted,
            *published_section(self.published),
            self.comparison.method(),
        ]
        return "\n\n".join(parts) + "\n"


def report_triples(  # noqa: PLR0913 -- what is scored, and how it is called
    task: str,
    gold_set: GoldSet[frozenset[Triple]],
    predictions: Sequence[Relations],
    second: Sequence[Relations] | None = None,
    *,
    names: tuple[str, str] = ("the model", "the other model"),
    resampling: Resampling | None = None,
    as_published: bool = False,
) -> TripleReport:
    """Scores the relations of one or two models.

    Args:
        task: the task's name.
        gold_set: the documents with their gold triples.
        predictions: the model's relations of each document.
        second: another model's relations of each document; None for no other model.
        names: the names of the two in the report.
        resampling: settings of the intervals and tests; None for the defaults.
        as_published: whether to count as Microsoft's programs do as well.

    Raises:
        ConfigError: there are not as many predictions as documents, or `as_published` is set and no document has a
            triple.
    """

    def system(name: str, found: Sequence[Relations]) -> System:
        triples = predicted_triples(found)
        return System(name, (*sample_metrics(triples, gold_set.gold), *strict_metrics(triples, gold_set.gold)))

    model = system(names[0], predictions)
    other = None if second is None else system(names[1], second)
    matched, predicted, true = map(int, model.metrics[-1].counts.sum(axis=0))
    found = models_by_name(names, predictions, second) if as_published else {}
    published = {name: published_triples(gold_set, of) for name, of in found.items()}
    return TripleReport(task, compare_systems(model, [], other, resampling), predicted, true, matched, published)
