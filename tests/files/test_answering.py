"""A task on the rows of a file: each row comes back with its result, its error, or nothing."""

from dataclasses import replace
from threading import Event

import pytest

from biogpt_onnx import BioGPT
from biogpt_onnx.files.answering import RowAnswering
from biogpt_onnx.files.rows import Row
from biogpt_onnx.runtime.errors import CancelledError
from biogpt_onnx.tasks import BC5CDR, Document, Reading, Relations
from makers.scripted import scripted

ROWS = [Row(1, Document("Lithium caused tremor.")), Row(2, None, "it is no JSON"), Row(4, Document("", "7"))]


def asked(document: Document) -> Document:
    return replace(document, question=document.question or "Why?")


@pytest.fixture
def answering(mini: BioGPT) -> RowAnswering:
    model = scripted(mini, "the relation between lithium and tremor exists.")
    return RowAnswering(BC5CDR, model, Reading(), asked, batch_size=2)


def test_every_row_has_its_result_its_error_or_nothing(answering: RowAnswering) -> None:
    (first, found), (second, nothing), (third, error) = answering.answers(iter(ROWS))
    assert isinstance(found, Relations)
    assert [(each.head, each.tail) for each in found.relations] == [("Lithium", "tremor")]
    # The output shows the question that was asked.
    assert (first.line, first.document) == (1, asked(ROWS[0].document or Document("")))
    assert (second, nothing) == (ROWS[1], None)
    assert (third.line, third.document and third.document.id) == (4, "7")
    assert "the document is empty" in str(error)


def test_rows_behind_a_cancellation_have_its_error(answering: RowAnswering) -> None:
    cancel = Event()
    cancel.set()
    found = [result for row, result in answering.answers(iter(ROWS), cancel) if row.document is not None]
    assert found
    assert all(isinstance(each, CancelledError) for each in found)
