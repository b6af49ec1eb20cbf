import json
from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx.runtime.errors import ConfigError, DocumentError
from biogpt_onnx.scores.gold import annotated, read_gold
from biogpt_onnx.scores.gold.relations import GoldRelation
from biogpt_onnx.tasks import AnswerTask, ClassificationTask, Document, NamedEntity, RelationTask
from makers.documents import save

MINE = RelationTask("mine", "that {head} leads to {tail}", relation="cause", soft_prompt_size=None)
NAMED = RelationTask("named", "that {head} is the {relation} of {tail}", labels=("cause", "cure"))
DOCUMENT = {"id": 7, "title": "Lithium", "text": "Lithium caused tremor."}
RELATION = {"head": "lithium", "tail": "tremor", "relation": "cause"}
PLACED = RELATION | {"head_span": [8, 15], "tail_span": [23, 29]}


def lines(folder: Path, *rows: dict[str, Any]) -> Path:
    return save(folder, "gold.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def test_relations_are_read_with_their_names_and_places(tmp_path: Path) -> None:
    path = lines(tmp_path, DOCUMENT | {"relations": [PLACED]}, {"text": "Nothing.", "relations": []})
    found = read_gold(MINE, path)
    placed = GoldRelation("lithium", "cause", "tremor", frozenset({(8, 15)}), frozenset({(23, 29)}))
    assert found.documents == (Document("Lithium caused tremor.", "7", "Lithium"), Document("Nothing."))
    assert found.gold == (frozenset({placed}), frozenset())
    assert found.form == "general"
    kept = annotated(found)
    assert (kept.documents, kept.gold, kept.form) == (found.documents[:1], found.gold[:1], "general")


@pytest.mark.parametrize("task", ["bc5cdr", "ddi", "kd-dti"])
def test_every_task_of_relations_takes_the_general_form_beside_its_own(tmp_path: Path, task: str) -> None:
    name = {"bc5cdr": "CID", "ddi": "effect", "kd-dti": "inhibitor"}[task]
    found = read_gold(task, lines(tmp_path, DOCUMENT | {"relations": [RELATION | {"relation": name}]}))
    assert found.gold == (frozenset({GoldRelation("lithium", name, "tremor")}),)
    assert found.lexicon is None
    with pytest.raises(ConfigError, match=r"entities is x\.json, but"):
        read_gold(task, tmp_path / "gold.jsonl", entities=Path("x.json"))


def test_a_relation_of_a_task_with_but_one_need_not_say_its_name(tmp_path: Path) -> None:
    path = lines(tmp_path, DOCUMENT | {"relations": [{"head": "lithium", "tail": "tremor"}]})
    assert read_gold(MINE, path).gold == (frozenset({GoldRelation("lithium", "cause", "tremor")}),)
    with pytest.raises(DocumentError, match="relations 1: the field 'relation' is missing"):
        read_gold(NAMED, path)


def test_places_may_be_those_of_entities(tmp_path: Path) -> None:
    entities = [
        {"text": "Lithium", "type": "Chemical", "span": [0, 7]},
        {"text": "lithium", "type": "Chemical", "span": [8, 15]},
        {"text": "tremor", "type": "Disease", "span": [23, 29]},
    ]
    found = read_gold(MINE, lines(tmp_path, DOCUMENT | {"entities": entities, "relations": [RELATION]}))
    ((relation,),) = found.gold
    assert (relation.head_spans, relation.tail_spans) == ({(0, 7), (8, 15)}, {(23, 29)})
    assert found.documents[0].entities == (
        NamedEntity("Lithium", "Chemical", ((0, 7),)),
        NamedEntity("lithium", "Chemical", ((8, 15),)),
        NamedEntity("tremor", "Disease", ((23, 29),)),
    )
    # A relation that gives its place has that one alone.
    found = read_gold(MINE, lines(tmp_path, DOCUMENT | {"entities": entities, "relations": [PLACED]}))
    ((relation,),) = found.gold
    assert relation.head_spans == {(8, 15)}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({}, "line 1: it has no field text, abstract"),
        (DOCUMENT, "document '7': the field 'relations' is missing: it must be a list of objects"),
        (DOCUMENT | {"relations": {}}, "the field 'relations' is of type dict"),
        (DOCUMENT | {"text": " ", "relations": []}, "document '7' has an empty text"),
        (DOCUMENT | {"relations": [{"head": "a"}]}, "document '7', relations 1: the field 'tail' is missing"),
        (DOCUMENT | {"relations": [RELATION | {"head": " "}]}, "the field 'head' is empty: give the entity's name"),
        (
            DOCUMENT | {"relations": [RELATION | {"relation": "causes"}]},
            r"has the relation 'causes' \(did you mean 'cause'\?\): known are cause",
        ),
        (DOCUMENT | {"relations": [PLACED | {"head_span": [8]}]}, r"'head_span' is not \[start, end\]: give two whole"),
        (DOCUMENT | {"relations": [PLACED | {"head_span": [True, 15]}]}, r"'head_span' is not \[start, end\]"),
        (DOCUMENT | {"relations": [PLACED | {"tail_span": [24, 29]}]}, "'tail_span' is 24 to 29 of title, a space and"),
        (DOCUMENT | {"relations": [PLACED | {"tail_span": [23, 99]}]}, "where the tail does not stand"),
        (DOCUMENT | {"relations": [PLACED | {"tail_span": [-6, -1]}]}, "where the tail does not stand"),
        (DOCUMENT | {"entities": 5, "relations": []}, "the field entities is a number"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_document(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    path = lines(tmp_path, row)
    with pytest.raises(DocumentError, match=said) as caught:
        read_gold(MINE, path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_the_general_form_of_answers_and_labels_is_read(tmp_path: Path) -> None:
    answers = AnswerTask("population", "in {label}.", ("adults", "rats"))
    path = lines(tmp_path, {"id": "1", "title": "A study", "text": "Nine rats.", "question": "Who?", "answer": "rats"})
    found = read_gold(answers, path)
    assert (found.documents, found.gold) == ((Document("Nine rats.", "1", "A study", question="Who?"),), ("rats",))
    with pytest.raises(DocumentError, match="document '1' has the answer 'rats': known are yes, no, maybe"):
        read_gold("pubmedqa", path)
    table = save(tmp_path, "gold.csv", "text,question,answer\nNine rats.,Who?,rats\n")
    assert read_gold(answers, table).gold == ("rats",)
    classes = ClassificationTask("severity", "it is {label}.", ("mild", "severe"))
    path = lines(tmp_path, {"id": "1", "title": "A case", "text": "He died.", "labels": ["severe"]})
    found = read_gold(classes, path)
    assert (found.documents, found.gold) == ((Document("He died.", "1", "A case"),), (frozenset({"severe"}),))
    with pytest.raises(DocumentError, match=r"the label 'sever' \(did you mean 'severe'\?\): known are mild, severe"):
        read_gold(classes, lines(tmp_path, {"text": "He died.", "labels": ["sever"]}))


def test_questions_are_needed_only_where_a_task_asks_them(tmp_path: Path) -> None:
    path = lines(tmp_path, {"text": "Nine rats.", "answer": "rats"})
    asking = AnswerTask("population", "in {label}.", ("adults", "rats"))
    with pytest.raises(DocumentError, match="empty question"):
        read_gold(asking, path)
    silent = AnswerTask("population", "in {label}.", ("adults", "rats"), needs_question=False)
    assert read_gold(silent, path).documents == (Document("Nine rats."),)


TWICE = '"relations": [{"head": "a", "head": "b", "tail": "c"}]'


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("gold.jsonl", f'{{"text": "a b c", {TWICE}}}\n', "line 1: it has the field 'head' 2 times in one object"),
        ("gold.jsonl", '{"text": "a", "text": "b", "relations": []}\n', "line 1: it has the field 'text' 2 times"),
        ("gold.json", f'{{"x": {{"text": "a b c", {TWICE}}}}}', "document 1: it has the field 'head' 2 times"),
    ],
)
def test_a_field_twice_inside_an_entry_is_an_error(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(DocumentError, match=said):
        read_gold(MINE, save(tmp_path, name, text))
