import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx.files.reading import read_documents
from biogpt_onnx.runtime.errors import BioGptError, ConfigError, DocumentError
from biogpt_onnx.scores.gold import GoldSet, annotated, read_gold
from biogpt_onnx.scores.gold.hallmarks import LABELS as HALLMARKS
from biogpt_onnx.scores.gold.hallmarks import read_hallmarks
from biogpt_onnx.scores.gold.lexicon import Lexicon
from biogpt_onnx.tasks.document import Document, NamedEntity
from biogpt_onnx.tasks.prompts.source import question_and_context
from biogpt_onnx.tasks.registry import evaluated_specs

BC5CDR: dict[str, Any] = {
    "11": {
        "title": "A tremor.",
        "abstract": "Lithium was given.",
        "relations": [{"chemical": "D1", "disease": "D2"}, {"chemical": "D1", "disease": "D2"}],
        "chemical2id": {"Lithium": "D1"},
        "disease2id": {"tremor": "D2"},
    },
    "12": {
        "title": "",
        "abstract": "Nothing.",
        "relations": [],
        "chemical2id": {"lithium ": "D9"},
        "disease2id": {},
    },
}

DDI: dict[str, Any] = {
    "d1": {"abstract": "Aspirin and warfarin.", "triples": [{"drug": "A", "target": "W", "interaction": "effect"}]},
    "d2": {"abstract": "Aspirin.", "title": None, "triples": None},
}

PUBMEDQA: dict[str, Any] = {
    "7": {
        "QUESTION": " Does it help? ",
        "CONTEXTS": ["We asked.\n  We counted. ", "It did."],
        "LONG_ANSWER": "It helps.",
        "final_decision": "yes",
    }
}


def written(folder: Path, content: object, name: str = "gold.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def without(content: dict[str, Any], document: str, field: str) -> dict[str, Any]:
    return content | {document: {name: value for name, value in content[document].items() if name != field}}


def having(content: dict[str, Any], document: str, **fields: object) -> dict[str, Any]:
    return content | {document: content[document] | fields}


# --- what is read


def test_bc5cdr_gives_documents_pairs_and_a_lexicon(tmp_path: Path) -> None:
    found = read_gold("bc5cdr", written(tmp_path, BC5CDR))
    names = (NamedEntity("Lithium", "Chemical"), NamedEntity("tremor", "Disease"))
    assert found.documents == (
        Document("Lithium was given.", "11", "A tremor.", entities=names),
        Document("Nothing.", "12", entities=(NamedEntity("lithium ", "Chemical"),)),
    )
    assert found.gold == (frozenset({("D1", "D2")}), frozenset())
    assert found.lexicon == Lexicon({"lithium": "D9"}, {"tremor": "D2"})


def test_a_lexicon_of_its_own_replaces_the_documents(tmp_path: Path) -> None:
    entities = written(tmp_path, {"chemical2id": {"LITHIUM": "MESH:D1"}, "disease2id": {}}, "entities.json")
    found = read_gold("bc5cdr", written(tmp_path, BC5CDR), entities=entities)
    assert found.lexicon == Lexicon({"lithium": "D1"}, {})
    assert found.lexicon.chemical(" Lithium ") == "D1"
    assert found.lexicon.disease("tremor") == "-1"


@pytest.mark.parametrize("task", ["ddi", "kd-dti"])
def test_triples_are_read_as_they_are_written(task: Any, tmp_path: Path) -> None:
    found = read_gold(task, written(tmp_path, DDI))
    assert found.documents == (Document("Aspirin and warfarin.", "d1"), Document("Aspirin.", "d2"))
    assert found.gold == (frozenset({("A", "effect", "W")}), frozenset())


@pytest.mark.parametrize(("task", "content"), [("bc5cdr", BC5CDR), ("ddi", DDI)])
def test_documents_without_a_relation_can_be_left_out(task: Any, content: dict[str, Any], tmp_path: Path) -> None:
    found = read_gold(task, written(tmp_path, content), annotated_only=True)
    assert len(found.documents) == len(found.gold) == 1
    assert found.gold[0]
    assert (found.lexicon is None) == (task == "ddi")


def test_hallmarks_are_read_with_their_blank_lines_and_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "gold.tsv"
    path.write_bytes("\ufeffA sentence .\tempty\r\n\r\n Another ! \tresisting cell death|empty \n".encode())
    found = read_gold("hoc", path)
    assert found.documents == (Document("A sentence ."), Document("Another !"))
    assert found.gold == (frozenset({"empty"}), frozenset({"resisting cell death", "empty"}))


def test_there_are_ten_hallmarks_and_none() -> None:
    assert len(HALLMARKS) == len(set(HALLMARKS)) == 11


def test_questions_are_read_without_their_conclusions(tmp_path: Path) -> None:
    found = read_gold("pubmedqa", written(tmp_path, PUBMEDQA))
    assert found.documents == (Document("We asked. We counted. It did.", "7", question="Does it help?"),)
    assert found.gold == ("yes",)


HUB = {
    "pubid": 7,
    "question": "Does it help?",
    "context": {"contexts": ["We asked. We counted.", "It did."], "labels": ["METHODS", "RESULTS"]},
    "long_answer": "It helps.",
    "final_decision": "yes",
}
TABLE = "question: Does it help? context: We asked. We counted. It did. answer: It helps.\tyes\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("gold.json", PUBMEDQA),
        ("gold.jsonl", json.dumps(HUB) + "\n"),
        ("hub.json", json.dumps(HUB) + "\n" + json.dumps(HUB | {"pubid": 8}) + "\n"),
        ("array.json", [HUB]),
        ("gold.tsv", TABLE),
    ],
)
def test_questions_are_the_same_in_every_published_form_and_the_same_as_those_that_are_answered(
    name: str, content: object, tmp_path: Path
) -> None:
    path = written(tmp_path, content, name)
    gold = read_gold("pubmedqa", path)
    wanted = Document("We asked. We counted. It did.", None if name == "gold.tsv" else "7", question="Does it help?")
    assert (gold.documents[0], gold.gold[0]) == (wanted, "yes")
    answered = next(read_documents(path)).document
    assert answered is not None
    assert question_and_context(answered) == question_and_context(wanted)
    assert answered.id == wanted.id


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("gold.tsv", "A sentence .\tresisting cell death|empty\n"),
        ("blurb.tsv", "index\tsentence\tlabel\n7\tA sentence .\tresisting cell death|empty\n"),
        ("gold.csv", "sentence,label\nA sentence .,resisting cell death|empty\n"),
        ("gold.jsonl", '{"sentence": "A sentence .", "labels": ["resisting cell death", "empty"]}\n'),
    ],
)
def test_hallmarks_are_the_same_in_every_published_form(name: str, content: str, tmp_path: Path) -> None:
    path = written(tmp_path, content, name)
    found = read_gold("hoc", path)
    assert found.documents == (Document("A sentence .", "7" if name == "blurb.tsv" else None),)
    assert found.gold == (frozenset({"resisting cell death", "empty"}),)
    # The command that classifies reads the same sentences.
    assert [row.document for row in read_documents(path)] == list(found.documents)


def test_labels_of_ones_own_need_no_header_either(tmp_path: Path) -> None:
    found = read_hallmarks(written(tmp_path, "A sentence .\tgood|bad\n", "gold.tsv"), ("good", "bad"))
    assert found.gold == (frozenset({"good", "bad"}),)


def test_interactions_are_the_documents_that_are_read_for_relations(tmp_path: Path) -> None:
    path = written(tmp_path, DDI)
    assert [row.document for row in read_documents(path)] == list(read_gold("ddi", path).documents)


@pytest.mark.parametrize(
    ("row", "context"),
    [
        ("question: Why? context: We asked. answer: It is so.\tno\n", "We asked."),
        ("question: Why? context: We asked. answer: It is so. answer: Yes.\tno", "We asked."),
        ("question: Why? context: We asked. \tno\n\n", "We asked."),
        ("question: Why? context: No context: here.\tno", "No context: here."),
    ],
)
def test_a_conclusion_in_a_table_of_questions_is_cut_off(row: str, context: str, tmp_path: Path) -> None:
    found = read_gold("pubmedqa", written(tmp_path, row, "gold.tsv"))
    assert found == GoldSet((Document(context, question="Why?"),), ("no",))


def test_conclusions_are_part_of_a_document_only_if_they_are_asked_for(tmp_path: Path) -> None:
    rows = {
        "gold.json": PUBMEDQA,
        "gold.tsv": "question: Does it help? context: We asked. answer: It helps.\tyes\n",
    }
    for name, content in rows.items():
        path = written(tmp_path, content, name)
        (without,) = read_gold("pubmedqa", path).documents
        (concluded,) = read_gold("pubmedqa", path, with_conclusion=True).documents
        assert (without.conclusion, concluded.conclusion) == ("", "It helps.")
        assert concluded == replace(without, conclusion="It helps.")


def test_a_question_without_a_conclusion_is_refused_where_conclusions_are_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, "question: Why? context: We asked. \tyes\n", "gold.tsv")
    with pytest.raises(DocumentError, match="line 1: the field long_answer is empty"):
        read_gold("pubmedqa", path, with_conclusion=True)


# --- what is refused

MALFORMED: list[tuple[str, object, str]] = [
    ("bc5cdr", "{", r"gold\.json ends in the middle of its JSON"),
    ("bc5cdr", "[" * 100_000, "ends in the middle of its JSON"),
    ("bc5cdr", [], "holds no documents"),
    ("bc5cdr", "[1]", "document 1: it is JSON, but no object"),
    ("bc5cdr", '{"11": {}, "12": {}, "11": {}}', "'11'"),
    ("bc5cdr", {}, "holds no documents"),
    ("bc5cdr", {"11": []}, "document 1: the value of '11' is no object"),
    ("bc5cdr", without(BC5CDR, "11", "relations"), "document '11': the field 'relations' is missing"),
    ("bc5cdr", having(BC5CDR, "11", relations=[1]), "'relations' is of type list: it must be a list of objects"),
    ("bc5cdr", having(BC5CDR, "11", relations=[{"chemical": "D1"}]), "relations 1: the field 'disease' is missing"),
    ("bc5cdr", having(BC5CDR, "11", abstract=None), "'abstract' is of type NoneType: it must be text"),
    ("bc5cdr", having(BC5CDR, "11", title="", abstract=" "), "neither a title nor an abstract"),
    (
        "bc5cdr",
        having(BC5CDR, "12", disease2id={"x": 1}),
        "'disease2id' is of type dict: it must be an object of texts",
    ),
    ("ddi", without(DDI, "d1", "triples"), "document 'd1': the field 'triples' is missing"),
    (
        "kd-dti",
        having(DDI, "d1", triples=[{"drug": "a", "target": 2}]),
        "triples 1: the field 'interaction' is missing",
    ),
    ("pubmedqa", without(PUBMEDQA, "7", "final_decision"), "the field 'final_decision' is missing"),
    ("pubmedqa", having(PUBMEDQA, "7", final_decision="Yes"), "the answer 'Yes': known are yes, no, maybe"),
    ("pubmedqa", having(PUBMEDQA, "7", CONTEXTS=[5]), "the field CONTEXTS is a list: give a list of strings"),
    (
        "pubmedqa",
        f"{json.dumps(PUBMEDQA)[:-1]}, {json.dumps(PUBMEDQA)[1:]}",
        "document 2 has the id '7', as document 1 has",
    ),
    ("pubmedqa", having(PUBMEDQA, "7", CONTEXTS=[]), "an empty question or context"),
]


@pytest.mark.parametrize(("task", "content", "said"), MALFORMED)
def test_a_malformed_file_is_refused_in_one_line(task: Any, content: object, said: str, tmp_path: Path) -> None:
    path = written(tmp_path, content)
    with pytest.raises(DocumentError, match=said) as caught:
        read_gold(task, path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("task", "content", "said"),
    [
        ("hoc", "a sentence\n", "line 1 must have a sentence, a tab and its labels"),
        ("hoc", "a\tb\tempty\n", "line 1 must have a sentence, a tab and its labels"),
        ("hoc", "a\tempty\n\nb\t\n", "line 3 must have a sentence, a tab and its labels"),
        ("hoc", "a\tempty|joy\n", "line 1 has the label 'joy': known are activating invasion"),
        ("hoc", "\n \n", "is empty"),
        ("pubmedqa", "question: Why?\tyes\n", "line 1: it must begin with 'question: '"),
        ("pubmedqa", "Why? context: So.\tyes\n", "line 1: it must begin with 'question: '"),
        ("pubmedqa", "question: Why? context: answer: So.\tyes\n", "an empty question or context"),
        ("pubmedqa", "question: Why? context: So.\tperhaps\n", "the answer 'perhaps'"),
    ],
)
def test_a_malformed_table_is_refused_with_its_line(task: Any, content: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=said) as caught:
        read_gold(task, written(tmp_path, content, "gold.tsv"))
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "gold.json"
    path.write_bytes(b'{"11": "\xff"}')
    with pytest.raises(DocumentError, match="document 1: it is not UTF-8"):
        read_gold("bc5cdr", path)


@pytest.mark.parametrize("task", [spec.name for spec in evaluated_specs()])
def test_a_missing_file_is_an_error_of_the_system(task: Any, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_gold(task, tmp_path / "nothing.json")


@pytest.mark.parametrize(
    ("task", "settings", "said"),
    [
        ("ner", {}, "task is 'ner': known are bc5cdr"),
        ("ddi", {"entities": Path("x.json")}, "entities is x.json"),
        ("hoc", {"annotated_only": True}, "annotated_only is set"),
        ("hoc", {"with_conclusion": True}, "with_conclusion is set, but the task hoc has no conclusions"),
    ],
)
def test_settings_that_a_task_does_not_have_are_refused(task: Any, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_gold(task, Path("never-read.json"), **settings)


def test_gold_that_does_not_fit_its_documents_is_refused() -> None:
    with pytest.raises(ConfigError, match="1 documents with 2 gold answers"):
        GoldSet((Document("a"),), ("yes", "no"))
    with pytest.raises(ConfigError, match="no documents"):
        GoldSet[str]((), ())
    with pytest.raises(BioGptError, match="none of 1 gold documents has a relation"):
        annotated(GoldSet((Document("a"),), (frozenset(),)))
