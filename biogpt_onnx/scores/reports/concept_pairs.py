"""Report of BC5CDR's scores."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from biogpt_onnx.reporting.bootstrap import Resampling
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores.as_published.concept_pairs import published_concepts
from biogpt_onnx.scores.as_published.figures import PublishedFigures, published_section
from biogpt_onnx.scores.baselines.cooccurrence import pairs_in_documents, pairs_in_sentences
from biogpt_onnx.scores.gold.concept_pairs import ConceptPair
from biogpt_onnx.scores.gold.gold_set import GoldSet
from biogpt_onnx.scores.metrics.concept_pairs import num_unknown, predicted_pairs
from biogpt_onnx.scores.metrics.counts import match_counts, micro_metrics
from biogpt_onnx.scores.reports.comparison import Comparison, System, compare_systems, models_by_name, report_fields
from biogpt_onnx.tasks.published import BC5CDR
from biogpt_onnx.tasks.registry import task_title
from biogpt_onnx.tasks.results import Relations


@dataclass(frozen=True)
class ConceptReport:
    """Report of relations between chemicals and diseases by their MeSH ids.

    Attributes:
        task: the task's name.
        comparison: micro F1, precision and recall of the model, of the co-occurrence baselines and perhaps of another
            model.
        predicted: number of different pairs that the model stated.
        gold: number of gold pairs.
        matched: number of pairs that are both.
        unknown: number of predicted pairs with an entity that the lexicon lacks.
        published: each model's figures as Microsoft's programs count them, by its name; empty if not asked for.
    """

    task: str
    comparison: Comparison
    predicted: int
    gold: int
    matched: int
    unknown: int
    published: dict[str, PublishedFigures] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Returns the whole report as fields for JSON."""
        return report_fields(self)

    def to_markdown(self) -> str:
        """Returns the report in Markdown."""
        counted = (
            f"{self.predicted:,} pairs predicted, {self.gold:,} true, {self.matched:,} both; {self.unknown:,} "
            "predicted ones name an entity of which the lexicon does not know the concept."
        )
        title = task_title(self.task)
        parts = [
            f"# {title}",
            self.comparison.sentences(),
            *self.comparison.tables(),
            counted,
            *published_section(self.published),
            self.comparison.method(),
        ]
        return "\n\n".join(parts) + "\n"


def report_concepts(  # noqa: PLR0913 -- what is scored, and how it is called
    gold_set: GoldSet[frozenset[ConceptPair]],
    predictions: Sequence[Relations],
    second: Sequence[Relations] | None = None,
    *,
    task: str = BC5CDR.name,
    names: tuple[str, str] = ("the model", "the other model"),
    resampling: Resampling | None = None,
    as_published: bool = False,
) -> ConceptReport:
    """Scores the relations of one or two models and of the co-occurrence baselines.

    Args:
        gold_set: the documents with their gold pairs and their lexicon.
        predictions: the model's relations of each document.
        second: another model's relations of each document; None for no other model.
        task: the task's name.
        names: the names of the two in the report.
        resampling: settings of the intervals and tests; None for the defaults.
        as_published: whether to count as Microsoft's programs do as well.

    Raises:
        ConfigError: there are not as many predictions as documents, there is no lexicon, or `as_published` is set and
            no document has a relation.
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
    comparison = compare_systems(model, baselines, other, resampling)
    found = models_by_name(names, predictions, second) if as_published else {}
    published = {name: published_concepts(gold_set, of, lexicon) for name, of in found.items()}
    return ConceptReport(task, comparison, predicted, true, matched, num_unknown(pairs), published)
