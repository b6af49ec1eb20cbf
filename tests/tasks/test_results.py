"""Results of tasks as people, programs and tables see them."""

import dataclasses
import json
import math
from dataclasses import replace

import pytest

from biogpt_onnx import BioGPT, EntitySpan, TokenTag, Usage, tasks
from biogpt_onnx.files.records import record_of
from biogpt_onnx.files.rows import Row
from biogpt_onnx.tasks import BC5CDR, HOC, PUBMEDQA, Answer, Classification, Description, Document, Relation, Relations
from biogpt_onnx.tasks.heads import EmbeddedText, LabelledText, TaggedText
from biogpt_onnx.tasks.results import TaskResult
from makers.scripted import scripted

DOCUMENT = Document("Two patients given lithium had tremor.", id="7", title="A case")
RELATION = Relation("lithium", "CID", "tremor", (26, 33), (38, 44), -0.5, "D008094")
RESULTS: list[TaskResult] = [
    Relations((RELATION,), ("what else",), "text", 45, complete=True, finish_reason="eos", usage=Usage(9, 5)),
    Answer("yes", {"yes": 0.75, "no": 0.25}, -0.5, "the answer is yes", 20),
    Classification(("b", "a"), {"a": 0.25, "b": 0.75}, (), "", 20, finish_reason="length"),
    Description("Lidocaine is", -9.0, complete=False),
    LabelledText("a", ("a",), {"a": 0.75, "b": 0.25}, {"a": 2.0, "b": -1.0}, 20),
    TaggedText(
        (EntitySpan("lithium", 26, 33, "Chemical", 0.9),), (TokenTag("lithium", 26, 33, "B-Chemical", 0.9),), 45
    ),
    EmbeddedText((0.5, -1.0), 45),
]
SAID = "the relation between lithium and tremor exists."


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
def test_a_result_is_one_line_and_plain_data_without_its_document(result: TaskResult) -> None:
    known = replace(result, document=DOCUMENT)
    assert known == result
    assert repr(known) == repr(result)
    assert "\n" not in repr(result)
    assert len(repr(result)) <= 240
    data = known.to_dict()
    assert {field.name for field in dataclasses.fields(result)} - {"document"} <= set(data)
    assert json.loads(json.dumps(data, allow_nan=False)) == data


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
def test_the_commands_write_the_same_plain_data(result: TaskResult) -> None:
    record = record_of(Row(3, DOCUMENT), replace(result, document=DOCUMENT))
    assert record == {"line": 3, "id": "7"} | result.to_dict()


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
def test_rows_of_a_table_have_the_same_columns_and_the_documents_id(result: TaskResult) -> None:
    rows = result.to_records("5")
    assert rows
    assert {row["id"] for row in rows} == {"5"}
    assert len({tuple(row) for row in rows}) == 1
    assert {row["id"] for row in result.to_records()} == {None}
    assert {row["id"] for row in replace(result, document=DOCUMENT).to_records()} == {"7"}
    json.dumps(rows, allow_nan=False)


def test_a_row_of_a_relation_has_its_places_in_columns() -> None:
    assert RESULTS[0].to_records("7") == [
        {
            "id": "7",
            "head": "lithium",
            "relation": "CID",
            "tail": "tremor",
            "score": -0.5,
            "head_concept": "D008094",
            "tail_concept": None,
            "in_source": True,
            "head_start": 26,
            "head_end": 33,
            "tail_start": 38,
            "tail_end": 44,
        }
    ]
    elsewhere = Relation("x", "CID", "y", None, (0, 1), -math.inf, other_spans=(((3, 4), None),))
    (row,) = Relations((elsewhere,), (), "", 5, complete=True).to_records()
    assert (row["head_start"], row["head_end"], row["score"], row["in_source"]) == (None, None, None, False)
    assert "other_spans" not in row
    assert Relations((), (), "", 5, complete=True).to_records("7") == []


def test_rows_of_labels_say_which_were_chosen() -> None:
    chosen = [[(row["label"], row["chosen"]) for row in result.to_records()] for result in RESULTS[1:3]]
    assert chosen == [[("yes", True), ("no", False)], [("a", True), ("b", True)]]
    unknown = Answer(None, {"yes": 0.75, "no": 0.25}, -0.5, "it may", 20)
    assert [row["chosen"] for row in unknown.to_records()] == [False, False]
    regression = LabelledText(None, (), {}, {"dose": 3.5}, 20)
    assert regression.to_records("7") == [
        {"id": "7", "label": "dose", "probability": None, "value": 3.5, "chosen": False}
    ]


def test_run_tells_a_result_its_document(mini: BioGPT) -> None:
    model = scripted(mini, SAID)
    found, plain = tasks.run(BC5CDR, model, [DOCUMENT, DOCUMENT.text])
    assert found.document is DOCUMENT
    assert plain.document == Document(DOCUMENT.text)
    assert "lithium</mark>" in found._repr_html_()
    (windowed,) = tasks.run(BC5CDR, model, [DOCUMENT], too_long="windows")
    assert windowed.document is DOCUMENT


def test_a_result_of_ones_own_task_stays_as_it_is(mini: BioGPT) -> None:
    own = tasks.Task("count", lambda text, document: len(text) + len(document.text))
    (found,) = tasks.run(own, scripted(mini, "yes"), [DOCUMENT])
    assert found == len("yes") + len(DOCUMENT.text)


def test_results_say_how_they_ended_and_how_many_tokens_they_took(mini: BioGPT) -> None:
    model = scripted(mini, SAID)
    (found,) = tasks.run(BC5CDR, model, [DOCUMENT])
    prepared = tasks.prepare_for(BC5CDR, model, DOCUMENT)
    new_tokens = len(mini.tokenizer.encode(SAID))
    assert (found.finish_reason, found.usage) == ("eos", Usage(len(prepared.prompt_ids), new_tokens))
    question = Document("It may help.", question="Does it help?")
    (chosen,) = tasks.run(PUBMEDQA, scripted(mini, "the answer to the question is yes."), [question])
    assert (chosen.finish_reason, chosen.usage.new_tokens, chosen.usage.dropped_tokens) == (None, 0, 0)
    said = scripted(mini, "the answer to the question given the abstract is yes.")
    (free,) = tasks.run(PUBMEDQA, said, [question], free=True)
    assert free.finish_reason == "eos"
    assert free.usage.prompt_tokens == chosen.usage.prompt_tokens
    assert free.usage.new_tokens > 5


def test_classes_say_how_they_ended_where_the_model_wrote_freely(mini: BioGPT) -> None:
    one_row = replace(HOC, soft_prompt_size=None)
    model = scripted(mini, "the type of this document is empty.")
    (chosen,) = tasks.run(one_row, model, [DOCUMENT])
    (free,) = tasks.run(one_row, model, [DOCUMENT], free=True)
    assert (chosen.finish_reason, chosen.usage.new_tokens) == (None, 0)
    assert (free.finish_reason, free.labels) == ("eos", ("empty",))
    assert free.usage.new_tokens > 3


def test_a_document_that_was_cut_says_how_many_tokens_were_dropped(mini: BioGPT) -> None:
    model = scripted(mini, SAID, max_positions=200)
    long = Document("Two patients given lithium had tremor. " * 30)
    (found,) = tasks.run(BC5CDR, model, [long], too_long="cut")
    whole = tasks.prepare_for(BC5CDR, scripted(mini, SAID), long)
    assert found.usage.dropped_tokens > 0
    assert found.usage.prompt_tokens + found.usage.dropped_tokens == len(whole.prompt_ids)


def test_windows_count_all_that_was_read(mini: BioGPT) -> None:
    first = Relations((), (), "", 5, complete=False, finish_reason="length", usage=Usage(3, 4))
    last = Relations((), (), "", 9, complete=True, finish_reason="eos", usage=Usage(10, 2))
    found = BC5CDR.combine([last, first, last])
    assert (found.finish_reason, found.usage) == ("length", Usage(23, 8))
    assert BC5CDR.combine([last, last]).finish_reason == "eos"
    unsure, sure = (Answer("yes", {"yes": value, "no": 0.1}, -1.0, "", 5, usage=Usage(4)) for value in (0.2, 0.8))
    assert PUBMEDQA.combine([unsure, sure]).usage == Usage(8)
    model = scripted(mini, SAID, max_positions=200)
    long = Document("Two patients given lithium had tremor. " * 30)
    (read,) = tasks.run(BC5CDR, model, [long], too_long="windows")
    assert read.usage.dropped_tokens == 0
    assert read.usage.prompt_tokens > 200
