"""BioC JSON in: a collection, PubTator's and PubMed Central's variants, a document a line."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx.files import rows
from biogpt_onnx.files.bioc.json_reader import looks_like_bioc_json
from biogpt_onnx.files.reading import read_documents
from biogpt_onnx.files.rows import Passage
from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.tasks.document import Document, NamedEntity
from makers.documents import documents, problems, read, save


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


def annotated(annotation: dict[str, Any]) -> dict[str, Any]:
    return {"passages": [{"offset": 0, "text": "X", "annotations": [annotation]}]}


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
        ({"id": "1", "passages": []}, "empty"),
        ({"id": "1"}, "empty"),
        ({"passages": [{"text": "X"}]}, "has no offset"),
        ({"passages": [{"text": "X", "offset": True}]}, "has a value of type bool as offset"),
        ({"passages": [5]}, "one of its passages is no object"),
        ({"passages": [{"offset": 0, "sentences": [{"offset": 0, "text": 5}]}]}, "a sentence is no string"),
        (annotated({"text": 5}), "an annotation is no string"),
        (annotated({"text": "X", "locations": [{"offset": 0}]}), "no length"),
        (annotated({"text": "X", "locations": [{"offset": "0", "length": 1}]}), "a value of type str as offset"),
        (annotated({"text": "X", "locations": 5}), "its locations are no list"),
        (document("1"), "empty"),
        (document("1", ("title", "0", "X")), "a value of type str as offset"),
        (document("1", ("title", 0, 5)), "no string"),
        (document("1", ("title", 0, "\ud800")), "surrogate"),
        ([1], "no BioC"),
        ("text", "no BioC"),
        (None, "no BioC"),
        ({**ONE, "passages": "X"}, "no BioC"),
        ({**ONE, "passages": [{**ONE["passages"][0], "infons": [5]}]}, "are no object"),
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


@pytest.mark.parametrize("more", ["more", "{", "]", '{"documents": [5'])
def test_a_collection_with_something_behind_it_is_refused(more: str) -> None:
    with pytest.raises(DocumentError, match=r"(is no JSON|no BioC)"):
        read(json.dumps(collection(ONE), indent=1) + f"\n{more}", "biocjson")


def test_a_file_that_breaks_off_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    data = json.dumps(collection(*[ONE] * 999))[:-20]
    with pytest.raises(DocumentError, match=r"a\.json is no JSON \(it ends too early\)"):
        read_documents(save(tmp_path, "a.json", data))
    assert next(read_documents(io.BytesIO(data.encode()), "biocjson")).document == BOTH[0]


def test_files_that_were_joined_are_read_to_the_end() -> None:
    data = "".join(json.dumps(value, indent=1) for value in (collection(ONE), TWO, [collection(), [TWO][0]]))
    assert documents(read(data, "biocjson")) == [*BOTH, BOTH[1]]


def test_a_collection_may_stand_on_each_line() -> None:
    lines = [json.dumps(collection(ONE)), '{"documents": 5}', json.dumps(collection(TWO, ONE)) + "x", "[]", "{}"]
    items = read("\n".join(lines), "biocjson")
    assert [one.document for one in items] == [BOTH[0], None, BOTH[1], BOTH[0], None, None]
    assert [problem.split(":")[0] for problem in problems(items).values()] == [
        "it is JSON, but no BioC",
        "it is no JSON (something stands behind the end)",
        "it is JSON, but no BioC",
    ]


@pytest.mark.parametrize("bad", ["{", json.dumps(ONE)[:-30], "words"])
def test_the_first_line_may_be_the_bad_one(bad: str) -> None:
    items = read("\n".join([bad, json.dumps(ONE), json.dumps(TWO)]), "biocjson")
    assert [one.document for one in items] == [None, *BOTH]


def test_a_list_may_have_its_elements_on_lines_of_their_own() -> None:
    one, two = json.dumps(ONE), json.dumps(TWO)
    for data in (f"[\n{one},\n{two}\n]", f"[{one},\n{two}\n]", f'{{"documents": [\n{one}\n,{two}]\n}}'):
        assert documents(read(data, "biocjson")) == BOTH


def test_a_document_that_is_too_large_is_one_bad_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_ROW_BYTES", 500)
    large = document("3", ("title", 0, 'words \\" [' * 30_000))
    items = read(json.dumps(collection(ONE, large, TWO)), "biocjson")
    assert [one.document for one in items] == [BOTH[0], None, BOTH[1]]
    assert "more than 500 characters of JSON" in problems(items)[2]
    alone = read(json.dumps(large, indent=1), "biocjson")
    assert "more than 500 characters of JSON" in problems(alone)[1]


def test_a_collection_is_read_as_it_is_asked_for() -> None:
    class Endless(io.RawIOBase):
        given = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any, /) -> int:
            piece = b'{"documents":\n[' if self.given == 0 else json.dumps(ONE).encode() + b",\n"
            self.given += 1
            assert self.given < 5000, "the whole file is read"
            buffer[: len(piece)] = piece
            return len(piece)

    items = read_documents(io.BufferedReader(Endless()), "biocjson")
    assert [next(items).document for _ in range(100)] == [BOTH[0]] * 100


USED = {
    "id": "7",
    "passages": [
        {"offset": 0, "infons": {"type": "title"}, "text": "Lithium and tremor."},
        {
            "offset": 20,
            "infons": {"type": "abstract"},
            "text": "Lithium caused tremor.",
            "annotations": [
                {
                    "text": "tremor",
                    "infons": {"type": "Disease", "identifier": "MESH:D014202"},
                    "locations": [{"offset": 35, "length": 6}],
                },
            ],
        },
    ],
}
TREMOR = NamedEntity("tremor", "Disease", ((35, 41),), "MESH:D014202")


@pytest.mark.parametrize(
    ("name", "read_id"),
    [
        ({"id": "7"}, "7"),
        ({"id": 7}, "7"),
        ({"pmid": 7}, "7"),
        ({"pmid": None, "pmcid": "PMC7"}, "PMC7"),
        ({"_id": "7|None", "id": "", "pmid": "7"}, "7"),
        ({}, None),
    ],
)
def test_only_what_is_used_must_be_there(name: dict[str, object], read_id: str | None) -> None:
    (found,) = documents(read(json.dumps({"documents": [{**name, "passages": USED["passages"]}]}), "biocjson"))
    assert found == Document("Lithium caused tremor.", read_id, "Lithium and tremor.", entities=(TREMOR,))


@pytest.mark.parametrize(
    ("infons", "concept"),
    [
        ({"identifier": "D1"}, "D1"),
        ({"MESH": "D1|D2"}, "D1|D2"),
        ({"NCBI Gene": 7157}, "7157"),
        ({"identifier": None}, ""),
        ({"identifier": "-1"}, ""),
        ({"identifier": "-"}, ""),
        ({}, ""),
    ],
)
def test_ids_are_read_from_where_corpora_keep_them(infons: dict[str, object], concept: str) -> None:
    (found,) = documents(read(json.dumps(annotated({"text": "X", "infons": infons})), "biocjson"))
    assert found.entities == (NamedEntity("X", "", (), concept),)


def test_the_place_of_a_mention_is_that_of_its_own_passage() -> None:
    one = {"offset": 0, "text": "Lithium.", "annotations": [{"text": "L", "locations": [{"offset": 0, "length": 1}]}]}
    two = {"offset": 0, "text": "Aspirin.", "annotations": [{"text": "A", "locations": [{"offset": 0, "length": 1}]}]}
    (found,) = documents(read(json.dumps({"passages": [one, two]}), "biocjson"))
    assert [entity.spans for entity in found.entities or ()] == [((0, 1),), ((9, 10),)]


def test_a_place_beyond_the_text_is_none_in_it() -> None:
    (found,) = documents(
        read(json.dumps(annotated({"text": "X", "locations": [{"offset": 900, "length": 1}]})), "biocjson")
    )
    ((start, _),) = (found.entities or ())[0].spans
    assert start >= len(found.full_text)


def test_a_line_that_is_not_utf_8_is_one_bad_row() -> None:
    lines = [json.dumps(ONE).encode(), b'{"id": "\xff"}', json.dumps(TWO).encode()]
    items = read(b"\n".join(lines), "biocjson")
    assert [one.document for one in items] == [BOTH[0], None, BOTH[1]]
    assert "UTF-8" in problems(items)[2]


def test_a_number_that_python_does_not_read_is_no_json() -> None:
    with pytest.raises(DocumentError, match="is no JSON"):
        read('{"documents": [{"id": ' + "9" * 5000 + "}]}", "biocjson")


def test_an_annotation_of_nothing_names_nothing() -> None:
    (found,) = documents(read(json.dumps(collection(annotated({"text": " "}))), "biocjson"))
    assert not found.entities


@pytest.mark.parametrize("beginning", [b"", b"text", b'"passages": [', b"<collection>"])
def test_what_begins_with_no_bracket_is_no_bioc_json(beginning: bytes) -> None:
    assert not looks_like_bioc_json(beginning)
