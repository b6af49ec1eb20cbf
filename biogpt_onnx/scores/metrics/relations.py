"""Metrics of relations: by the names of their entities, and by their exact places.

Relations are equal by their names if these have the same letters but for case and white space. They are equal by their
places if the relation's name is the same and each entity has one of the places that gold gives it.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from biogpt_onnx.scores.gold.relations import GoldRelation
from biogpt_onnx.tasks.results import Relation, Relations

Fact = tuple[object, ...]
"""A relation in the form in which it is compared."""


def named_facts(predictions: Sequence[Relations]) -> list[frozenset[Fact]]:
    """Returns the relations that a model stated of each document, by their names."""
    return [frozenset(map(_by_names, prediction.relations)) for prediction in predictions]


def named_gold(gold: Sequence[AbstractSet[GoldRelation]]) -> list[frozenset[Fact]]:
    """Returns the gold relations of each document, by their names."""
    return [frozenset(map(_by_names, each)) for each in gold]


def num_without_place(gold: Sequence[AbstractSet[GoldRelation]]) -> int:
    """Returns the number of gold relations of which the place of an entity is not known."""
    return sum(not relation.has_places for each in gold for relation in each)


def placed_facts(predictions: Sequence[Relations], gold: Sequence[AbstractSet[GoldRelation]]) -> list[frozenset[Fact]]:
    """Returns the relations that a model stated of each document, by their exact places.

    One that is at the places of a gold relation is that one; of two that are at places of the same one, so are both.

    Args:
        predictions: The relations of each document.
        gold: The gold relations of each document, with their places.
    """
    return [
        frozenset(_by_places(relation, true) for relation in prediction.relations)
        for prediction, true in zip(predictions, gold, strict=True)
    ]


def placed_gold(gold: Sequence[AbstractSet[GoldRelation]]) -> list[frozenset[Fact]]:
    """Returns the gold relations of each document, by their exact places."""
    return [frozenset((relation,) for relation in each) for each in gold]


def _by_names(relation: Relation | GoldRelation) -> Fact:
    return tuple(" ".join(name.lower().split()) for name in (relation.head, relation.relation, relation.tail))


def _by_places(relation: Relation, gold: AbstractSet[GoldRelation]) -> Fact:
    for true in sorted(gold, key=repr):
        if (
            relation.relation == true.relation
            and relation.head_span in true.head_spans
            and relation.tail_span in true.tail_spans
        ):
            return (true,)
    return (*_by_names(relation), relation.head_span, relation.tail_span)
