"""Report of the scores of relations whose gold is in the general form."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from biogpt_onnx.reporting.bootstrap import Resampling
from biogpt_onnx.scores.gold.gold_set import GoldSet
from biogpt_onnx.scores.gold.relations import GoldRelation
from biogpt_onnx.scores.metrics.counts import check_lengths, match_counts, micro_metrics
from biogpt_onnx.scores.metrics.relations import (
    Fact,
    named_facts,
    named_gold,
    num_without_place,
    placed_facts,
    placed_gold,
)
from biogpt_onnx.scores.reports.comparison import Comparison, System, compare_systems, report_fields
from biogpt_onnx.tasks.registry import task_title
from biogpt_onnx.tasks.results import Relations


@dataclass(frozen=True)
class RelationReport:
    """Report of relations, by names and by exact places.

    Attributes:
        task: The task's name.
        comparison: Micro F1, precision and recall by the entities' names, of the model and perhaps of another one.
        exact_places: The same by the entities' places; None if gold lacks the place of some entity.
        predicted: Number of relations that the model stated and that differ in their names.
        gold: Number of gold relations that differ in their names.
        matched: Number of relations that are both.
        without_place: Number of gold relations that lack the place of an entity.
    """

    task: str
    comparison: Comparison
    exact_places: Comparison | None
    predicted: int
    gold: int
    matched: int
    without_place: int

    def to_dict(self) -> dict[str, Any]:
        """Returns the whole report as fields for JSON."""
        return report_fields(self)

    def to_markdown(self) -> str:
        """Returns the report in Markdown."""
        counted = (
            f"{self.predicted:,} relations predicted, {self.gold:,} true, {self.matched:,} both, by their names in any "
            "case."
        )
        parts = [
            f"# {task_title(self.task)}",
            self.comparison.sentences(),
            *self.comparison.tables(),
            counted,
            *self._places(),
            self.comparison.method(),
        ]
        return "\n\n".join(parts) + "\n"

    def _places(self) -> Iterator[str]:
        if self.exact_places is not None:
            yield (
                "At exact places, which gold gives, a relation is right if both of its entities are at a place of the "
                "true ones:"
            )
            yield from self.exact_places.tables()
        elif self.without_place < self.gold:
            yield (
                f"Exact places are not scored: {self.without_place:,} true relations lack the place of an entity, and "
                "others have it."
            )


def report_relations(  # noqa: PLR0913 -- what is scored, and how it is called
    task: str,
    gold_set: GoldSet[frozenset[GoldRelation]],
    predictions: Sequence[Relations],
    second: Sequence[Relations] | None = None,
    *,
    names: tuple[str, str] = ("the model", "the other model"),
    resampling: Resampling | None = None,
) -> RelationReport:
    """Scores the relations of one or two models by names and, if gold has all places, by exact places.

    Args:
        task: The task's name.
        gold_set: The documents with their gold relations.
        predictions: The model's relations of each document.
        second: Another model's relations of each document; None for no other model.
        names: The names of the two in the report.
        resampling: Settings of the intervals and tests; None for the defaults.

    Raises:
        ConfigError: There are not as many predictions as documents.
    """
    gold = gold_set.gold
    models = {names[0]: predictions} | ({} if second is None else {names[1]: second})
    for found in models.values():
        check_lengths(found, gold)
    without_place = num_without_place(gold)
    by_names = [_system(name, named_facts(found), named_gold(gold)) for name, found in models.items()]
    by_places = [
        _system(f"{name}, exact places", placed_facts(found, gold), placed_gold(gold))
        for name, found in models.items()
        if any(gold) and not without_place
    ]
    matched, predicted, true = map(int, by_names[0].metrics[0].counts.sum(axis=0))
    return RelationReport(
        task,
        compare_systems(by_names[0], [], by_names[1] if second is not None else None, resampling),
        compare_systems(by_places[0], [], by_places[1] if second is not None else None, resampling)
        if by_places
        else None,
        predicted,
        true,
        matched,
        without_place,
    )


def _system(name: str, predicted: Sequence[frozenset[Fact]], gold: Sequence[frozenset[Fact]]) -> System:
    return System(name, micro_metrics(match_counts(predicted, gold)))
