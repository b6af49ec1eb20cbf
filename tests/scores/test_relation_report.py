import json

import pytest

from biogpt_onnx.reporting.bootstrap import Resampling
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores.gold import GoldSet
from biogpt_onnx.scores.gold.relations import GoldRelation
from biogpt_onnx.scores.reports.relations import RelationReport, report_relations
from biogpt_onnx.scores.reports.task_report import report_task
from biogpt_onnx.tasks import Document, Relation, Relations, RelationTask

FEW = Resampling(resamples=50)
DOCUMENTS = (Document("Lithium caused tremor. Lithium again, tremor again."), Document("Nothing."))
MINE = RelationTask("mine", "that {head} leads to {tail}", relation="cause")


def gold(*heads: tuple[int, int], tails: tuple[tuple[int, int], ...] = ((15, 21),)) -> GoldSet[frozenset[GoldRelation]]:
    relation = GoldRelation("Lithium", "cause", "tremor", frozenset(heads), frozenset(tails))
    return GoldSet(DOCUMENTS, (frozenset({relation}), frozenset()), form="general")


def predicted(*found: tuple[str, str, tuple[int, int] | None, tuple[int, int] | None]) -> list[Relations]:
    relations = tuple(Relation(head, "cause", tail, first, second, -1.0) for head, tail, first, second in found)
    return [Relations(relations, (), "", 0, complete=True), Relations((), (), "", 0, complete=True)]


RIGHT = predicted(("lithium", "Tremor", (0, 7), (15, 21)))


def report(gold_set: GoldSet[frozenset[GoldRelation]], found: list[Relations]) -> RelationReport:
    return report_relations("mine", gold_set, found, resampling=FEW)


def f1(comparison: object) -> float:
    return comparison.measures["F1"].value  # type: ignore[attr-defined, no-any-return] # of a Comparison


def test_names_are_compared_in_any_case_and_places_exactly() -> None:
    found = report(gold((0, 7)), RIGHT)
    assert (f1(found.comparison), f1(found.exact_places)) == (1, 1)
    assert (found.predicted, found.gold, found.matched, found.without_place) == (1, 1, 1, 0)
    elsewhere = report(gold((0, 7)), predicted(("Lithium", "tremor", (23, 30), (15, 21))))
    assert (f1(elsewhere.comparison), f1(elsewhere.exact_places)) == (1, 0)
    other_name = report(gold((0, 7)), predicted(("lithium salt", "tremor", (0, 7), (15, 21))))
    assert (f1(other_name.comparison), f1(other_name.exact_places)) == (0, 1)
    nowhere = report(gold((0, 7)), predicted(("Lithium", "tremor", None, (15, 21))))
    assert (f1(nowhere.comparison), f1(nowhere.exact_places)) == (1, 0)


def test_any_place_of_an_entity_is_right_and_counts_once() -> None:
    twice = predicted(("Lithium", "tremor", (0, 7), (15, 21)), ("lithium", "tremor", (23, 30), (15, 21)))
    found = report(gold((0, 7), (23, 30)), twice)
    assert f1(found.exact_places) == 1
    found = report(gold((0, 7)), twice)
    # One of two is right, and the only true one is found.
    assert f1(found.exact_places) == pytest.approx(2 / 3)


def test_places_are_a_second_row_of_the_report() -> None:
    text = report(gold((0, 7)), RIGHT).to_markdown()
    assert text.startswith("# mine\n\nThe F1 of the model is 100.00%; it is held against no baseline.")
    rows = [line for line in text.splitlines() if line.startswith("| the model")]
    assert [row.split(" | ")[0] for row in rows] == ["| the model", "| the model, exact places"]
    assert "1 relations predicted, 1 true, 1 both" in text


def test_without_places_there_is_no_such_row_and_where_some_lack_theirs_the_report_says_so() -> None:
    none = report(gold(), RIGHT)
    assert none.exact_places is None
    assert "xact places" not in none.to_markdown()
    placed = GoldRelation("a", "cause", "b", frozenset({(0, 1)}), frozenset({(1, 2)}))
    mixed = GoldSet(DOCUMENTS, (gold().gold[0] | {placed}, frozenset()), form="general")
    assert report(mixed, RIGHT).exact_places is None
    assert "Exact places are not scored: 1 true relations lack" in report(mixed, RIGHT).to_markdown()


def test_another_model_is_compared_by_names_and_by_places() -> None:
    second = predicted()
    found = report_relations("mine", gold((0, 7)), RIGHT, second, names=("a", "b"), resampling=FEW)
    assert found.comparison.second is not None
    assert found.comparison.second.name == "b"
    assert found.exact_places is not None
    assert found.exact_places.second is not None
    assert found.exact_places.second.name == "b, exact places"
    with pytest.raises(ConfigError, match="1 predictions for 2 gold documents"):
        report_relations("mine", gold((0, 7)), RIGHT, second[:1], resampling=FEW)


@pytest.mark.parametrize("task", ["bc5cdr", "ddi", MINE])
def test_gold_in_the_general_form_is_reported_so_whatever_the_task(task: str | RelationTask) -> None:
    found = report_task(task, gold((0, 7)), RIGHT, resampling=FEW)
    assert isinstance(found, RelationReport)
    fields = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert fields["task"] == (task if isinstance(task, str) else "mine")
    assert fields["exact_places"]["measures"]["F1"]["value"] == 1
    assert found.to_markdown().startswith({"bc5cdr": "# BC5CDR", "ddi": "# DDI"}.get(str(task), "# mine"))
