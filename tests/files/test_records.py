"""Results as records and as JSON lines."""

import json
import math
from dataclasses import replace

import pytest

from biogpt_onnx.files.records import document_data, record_of
from biogpt_onnx.files.rows import Row
from biogpt_onnx.files.text.json_lines import JsonLines
from biogpt_onnx.runtime.errors import PromptError
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.results import Answer, Classification, Description
from makers.documents import relation, relations, written

DOCUMENT = Document("Lidocaine caused asystole.", "7")
ITEM = Row(3, DOCUMENT)


def test_a_relation_says_whether_the_document_holds_it() -> None:
    found = [relation(DOCUMENT, "Lidocaine", tail) for tail in ("asystole", "block")]
    record = record_of(ITEM, relations(*found))
    assert (record["line"], record["id"], record["complete"]) == (3, "7", True)
    assert record["relations"] == [
        {
            "head": "Lidocaine",
            "relation": "CID",
            "tail": "asystole",
            "head_span": [0, 9],
            "tail_span": [17, 25],
            "score": -0.5,
            "head_concept": None,
            "tail_concept": None,
            "in_source": True,
        },
        {
            "head": "Lidocaine",
            "relation": "CID",
            "tail": "block",
            "head_span": [0, 9],
            "tail_span": None,
            "score": -0.5,
            "head_concept": None,
            "tail_concept": None,
            "in_source": False,
        },
    ]
    assert "document" not in record


def test_further_spans_are_written_where_there_are_any() -> None:
    found = replace(relation(DOCUMENT, "Lidocaine", "asystole"), other_spans=(((30, 39), None),))
    (record,) = record_of(ITEM, relations(found))["relations"]
    assert record["other_spans"] == [[[30, 39], None]]


def test_every_kind_of_result_is_json_that_says_the_same() -> None:
    results = [
        relations(relation(DOCUMENT, "Lidocaine", "asystole")),
        Answer("yes", {"yes": 0.75, "no": 0.25}, -0.5, "the answer is yes", 20),
        Classification(("a", "b"), {"a": 0.5, "b": 0.5}, (), "", 20),
        Description("Lidocaine is", -9.0, complete=False),
    ]
    for result in results:
        record = record_of(ITEM, result)
        assert json.loads(written(JsonLines(), [record])) == record


def test_numbers_that_json_lacks_are_null() -> None:
    answer = Answer(None, {"yes": math.nan, "no": math.inf}, -math.inf, "", 0)
    record = json.loads(written(JsonLines(), [record_of(ITEM, answer)]))
    assert (record["probabilities"], record["score"]) == ({"yes": None, "no": None}, None)


def test_a_bad_row_and_a_document_that_met_an_error_say_why() -> None:
    assert record_of(Row(4, None, "no JSON"), None) == {"line": 4, "id": None, "error": "no JSON"}
    assert record_of(ITEM, PromptError("too long")) == {"line": 3, "id": "7", "error": "too long"}


def test_a_record_is_one_line_for_every_reader_and_not_in_numbers() -> None:
    document = Document("x", "α\u2028β\u2029\x85\x1c\n\r\v")
    line = written(JsonLines(), [record_of(Row(1, document), Description("naïve", -1.0, complete=True))])
    assert line.splitlines() == [line.removesuffix("\n")]
    assert "α" in line
    assert "naïve" in line
    assert json.loads(line)["id"] == document.id


def test_a_row_without_a_document_has_none_to_keep() -> None:
    with pytest.raises(ValueError, match="the row is no document"):
        document_data(Row(3, None, "it is no JSON"))


def test_a_line_of_json_does_not_repeat_the_document() -> None:
    answer = Answer("yes", {"yes": 1.0}, -0.5, "", 20)
    record = record_of(ITEM, answer, keep_document=JsonLines.needs_documents)
    assert DOCUMENT.text not in JsonLines().format_record(record)
