"""BioC JSON in: a collection, PubTator's and PubMed Central's variants, a document a line."""

import json
from typing import Any

import pytest

from biogpt_onnx.files.rows import Passage
from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.tasks.document import Document
from makers.documents import documents, problems, read


def document(name: object, *passages: tuple[str, object, object]) -> dict[str, Any]:
    return {
        "id": name,
        "infons": {},
        "passages": [
            {
                "infons": {"type": kind},
                "offset": offset,
                "text": text,
                "sentences": [],
                "annotations": [],
                "relations": [],
            }
            for kind, offset, text in passages
        ],
        "annotations": [],
        "relations": [],
    }


def collection(*of: dict[str, Any]) -> dict[str, Any]:
    return {"source": "", "date": "", "key": "", "infons": {}, "documents": list(of)}


ONE = document("1", ("title", 0, "T"), ("abstract", 2, "X"))
TWO = document(2, ("paragraph", 0, "Y"))
BOTH = [Document("X", "1", "T"), Document("Y", "2")]


@pytest.mark.parametrize(
    "value",
    [
        collection(ONE, TWO),
        [collection(ONE, TWO)],
        [collection(ONE), collection(TWO)],
        [ONE, TWO],
        {"PubTator3": [ONE, TWO]},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_the_forms_in_which_it_is_published_are_read(value: object, indent: int | None, encoding: str) -> None:
    items = read(json.dumps(value, indent=indent).encode(encoding), "biocjson")
    assert documents(items) == BOTH
    assert [one.line for one in items] == [1, 2]
    assert items[0].passages == (Passage("title", 0, 0, 1), Passage("abstract", 2, 2, 3))


def test_a_document_may_be_alone() -> None:
    assert documents(read(json.dumps(ONE, indent=1), "biocjson")) == BOTH[:1]


def test_a_document_a_line_is_read_line_by_line() -> None:
    lines = [json.dumps(ONE), "", "{", json.dumps(TWO)]
    items = read("\n".join(lines), "biocjson")
    assert [one.document for one in items] == [BOTH[0], None, BOTH[1]]
    assert list(problems(items)) == [2]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"id": "1", "infons": {}, "passages": []}, "lacks the field relations"),
        ({"infons": {}, "passages": [], "relations": []}, "lacks the field id"),
        (document("1"), "empty"),
        (document("1", ("title", "0", "X")), "offset '0'"),
        (document("1", ("title", 0, 5)), "no string"),
        (document("1", ("title", 0, "\ud800")), "surrogate"),
        ([1], "no BioC"),
        ("text", "no BioC"),
        (None, "no BioC"),
        ({**ONE, "passages": "X"}, "no BioC"),
        ({**ONE, "passages": [{**ONE["passages"][0], "infons": []}]}, "no BioC"),
    ],
)
def test_a_bad_document_is_counted_and_the_rest_goes_on(bad: object, says: str) -> None:
    items = read(json.dumps({"documents": [ONE, bad, TWO]}), "biocjson")
    assert list(problems(items)) == [2]
    assert says in problems(items)[2]
    assert [one.document for one in items if one.document] == BOTH


@pytest.mark.parametrize("data", [b"{", b"5", b'{"a": 1}', b'["a"]', b"[" * 99_999, b'{"documents": 5}', b"\xff{}"])
def test_a_file_that_is_no_bioc_is_refused(data: bytes) -> None:
    with pytest.raises(DocumentError, match="standard input"):
        read(data, "biocjson")


def test_a_collection_with_something_behind_it_is_refused() -> None:
    with pytest.raises(DocumentError, match="Extra data"):
        read(json.dumps(collection(ONE)) + "\nmore", "biocjson")
