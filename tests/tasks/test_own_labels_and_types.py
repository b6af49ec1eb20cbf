"""A task with labels of one's own, or that knows its types by the names of one's own file."""

import pytest

from biogpt_onnx import ConfigError
from biogpt_onnx.tasks import BC5CDR, DDI, HOC, PUBMEDQA, Document, NamedEntity, RelationTask
from biogpt_onnx.tasks.definitions.identity import task_identity
from biogpt_onnx.tasks.definitions.own_labels import with_labels
from biogpt_onnx.tasks.definitions.own_types import with_type_names
from biogpt_onnx.tasks.entity_census import EntityCensus

UNTYPED = RelationTask("mine", "that {head} leads to {tail}", relation="cause")


def test_labels_of_ones_own_take_the_place_of_a_tasks() -> None:
    assert with_labels(DDI, ["effect", "advice"]).labels == ("effect", "advice")
    assert with_labels(PUBMEDQA, ["yes", "no"]).labels == ("yes", "no")


def test_a_label_that_excludes_all_others_does_so_only_if_it_is_kept() -> None:
    (alone,) = HOC.alone
    assert with_labels(HOC, ["inducing angiogenesis", alone]).alone == (alone,)
    assert with_labels(HOC, ["inducing angiogenesis", "cellular energetics"]).alone == ()


def test_a_task_of_one_relation_takes_no_labels() -> None:
    with pytest.raises(ConfigError, match="labels name relations, bc5cdr has but one: leave them out"):
        with_labels(BC5CDR, ["induces"])


def test_types_are_known_by_further_names() -> None:
    task = with_type_names(BC5CDR, [(" chemical ", " T103 "), ("DISEASE", "T047")])
    assert task.type_names == (*BC5CDR.type_names, ("Chemical", "T103"), ("Disease", "T047"))
    again = with_type_names(task, [("Chemical", "T109")])
    assert again.type_names == (*task.type_names, ("Chemical", "T109"))


@pytest.mark.parametrize(
    ("task", "pair", "said"),
    [
        (BC5CDR, ("Gene", "T028"), "entity type 'Gene': the task bc5cdr has the types Chemical and Disease"),
        (UNTYPED, ("Gene", "T028"), "the task mine has no types"),
        (BC5CDR, ("Chemical", "  "), "entity type 'Chemical' has an empty name"),
    ],
)
def test_types_that_a_task_lacks_and_empty_names_are_refused(
    task: RelationTask, pair: tuple[str, str], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        with_type_names(task, [pair])


def test_an_unfinished_run_knows_a_task_by_its_settings_in_every_process() -> None:
    identity = task_identity(BC5CDR)
    assert identity["class"] == "RelationTask"
    assert identity["head_type"] == "'Chemical'"
    assert identity["source"] == "biogpt_onnx.tasks.prompts.source.title_and_abstract"
    assert task_identity(object()) == {"class": "object"}


# --- files in which no entity is of the task's types


def census(*kinds: str) -> EntityCensus:
    counted = EntityCensus(BC5CDR)
    for kind in kinds:
        counted.count(Document("A text.", entities=(NamedEntity("text", kind),)))
    return counted


def test_a_file_with_entities_of_both_types_is_in_order() -> None:
    assert census("Disease", "Chemical", "Gene").problem() is None
    # An entity of no type may be of any.
    assert census("").problem() is None


def test_a_file_without_entities_is_told_apart_from_one_with_others() -> None:
    counted = EntityCensus(BC5CDR)
    counted.count(Document("A text."))
    assert counted.problem() == "names no entities, so --given-entities gives no relations"


def test_entities_of_other_types_are_counted_and_the_remedy_is_named() -> None:
    said = census("T103", "T047", "T103").problem() or ""
    assert "of the types T103 (2), T047 (1), none of which is a Chemical or a Disease" in said
    assert said.endswith("--entity-type Chemical=T103")
    assert " more" not in said


def test_the_type_that_alone_is_missing_is_named() -> None:
    said = census("Chemical", "T047").problem() or ""
    assert "none of which is a Disease, so" in said
    assert said.endswith("--entity-type Disease=T047")
    assert (census("Chemical").problem() or "").endswith("--entity-type Disease=NAME")


def test_of_many_types_the_most_frequent_are_named_and_long_names_cut() -> None:
    said = census(*(f"{'x' * 50}{number}" for number in range(23))).problem() or ""
    assert said.count("x" * 40 + " (1)") == 20
    assert "x" * 41 not in said
    assert " and 3 more, none of which" in said
