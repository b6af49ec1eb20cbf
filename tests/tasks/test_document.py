"""Documents of values as data frames have them."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from biogpt_onnx import BioGPT, DocumentError, PromptError, tasks
from biogpt_onnx.tasks import Document, NamedEntity


class NAType:
    """Stands for pandas' NA, whose comparisons have no truth."""

    def __eq__(self, other: object) -> Any:
        raise TypeError("boolean value of NA is ambiguous")

    __hash__ = None  # type: ignore[assignment]


class NaTType:
    """Stands for pandas' NaT."""


MISSING = [None, float("nan"), np.float32("nan"), np.datetime64("NaT"), NAType(), NaTType()]


@pytest.mark.parametrize("missing", MISSING, ids=lambda value: type(value).__name__)
def test_a_missing_value_is_one_that_is_not_given(missing: Any) -> None:
    document = Document("Text.", id=missing, title=missing, question=missing, entities=missing, conclusion=missing)
    assert document == Document("Text.")
    assert document.full_text == "Text."
    assert NamedEntity("lithium", type=missing, concept=missing) == NamedEntity("lithium")


@pytest.mark.parametrize("missing", MISSING, ids=lambda value: type(value).__name__)
def test_a_document_without_a_text_is_an_error_that_says_which(mini: BioGPT, missing: Any) -> None:
    rows = [Document("Text."), Document(missing, id="7", title="A title")]
    with pytest.raises(PromptError, match=r"^documents\[1\] \(id '7'\): the document is empty: give it a text"):
        tasks.run(tasks.BC5CDR, mini, rows)


def test_pandas_own_missing_values_are_known() -> None:
    pandas = pytest.importorskip("pandas")
    assert Document("Text.", title=pandas.NA, id=pandas.NaT) == Document("Text.")


@pytest.mark.parametrize("number", [31, np.int64(31)])
def test_a_number_is_an_id(number: Any) -> None:
    assert Document("Text.", id=number).id == "31"
    assert NamedEntity("lithium", concept=number).concept == "31"


def test_lists_become_tuples() -> None:
    entity = NamedEntity("lithium", spans=[[np.int64(0), 7]])  # type: ignore[arg-type]
    assert entity.spans == ((0, 7),)
    document = Document("lithium", entities=[entity])  # type: ignore[arg-type]
    assert document.entities == (entity,)
    assert hash(document) == hash(dataclasses.replace(document))


@pytest.mark.parametrize("value", [5, 5.5, b"x", object(), [], {}, True, np.array(["a"])])
@pytest.mark.parametrize("field", ["text", "title", "question", "conclusion"])
def test_what_is_no_text_is_refused(field: str, value: Any) -> None:
    values = {"text": "Text.", "id": "7", field: value}
    with pytest.raises(DocumentError, match=rf"^document '7': its {field} is of type {type(value).__name__}"):
        Document(**values)


def make(kind: Callable[..., object], **values: object) -> object:
    return kind(**{"text": "a", **values})


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: make(Document, id=5.5), "the document's id is of type float"),
        (lambda: make(Document, id=True), "the document's id is of type bool"),
        (lambda: make(Document, entities="lithium"), "the document's entities are of type str"),
        (lambda: make(Document, entities=["lithium"]), "the document's entities are of type list"),
        (lambda: make(NamedEntity, text=b"a"), "an entity's text is of type bytes"),
        (lambda: make(NamedEntity, spans=[5]), r"an entity's spans are \[5\]"),
        (lambda: make(NamedEntity, spans=5), "an entity's spans are 5"),
        (lambda: make(NamedEntity, spans=[(0, True)]), "an entity's spans are"),
    ],
)
def test_other_values_of_a_wrong_type_are_refused(build: Callable[[], object], message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        build()
