"""JSON arrays, and JSON objects of documents by their ids: one document in memory at a time."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx.files import rows
from biogpt_onnx.files.reading import read_documents
from biogpt_onnx.files.text import json_documents
from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.tasks.document import Document
from makers.documents import documents, problems, read, save

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(str.strip)


def test_an_object_holds_documents_by_their_ids_and_an_array_those_of_their_own() -> None:
    assert documents(read(json.dumps({"7": {"abstract": "X", "title": "T"}}), "json")) == [Document("X", "7", "T")]
    assert documents(read(json.dumps([{"pmid": 7, "text": "X"}, {"text": "Y"}], indent=1), "json")) == [
        Document("X", "7"),
        Document("Y"),
    ]
    assert read("[]", "json") == read(" { } \n", "json") == []


@given(st.dictionaries(TEXTS, TEXTS, max_size=4), st.integers(1, 40), st.booleans())
def test_what_is_written_as_json_is_read_back_wherever_it_is_cut(
    texts: dict[str, str],
    chunk: int,
    ascii_only: bool,  # noqa: FBT001 -- an example's form
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(json_documents, "_CHUNK_BYTES", chunk)
        data = json.dumps({name: {"text": text} for name, text in texts.items()}, ensure_ascii=ascii_only)
        assert documents(read(data, "json")) == [Document(text, name) for name, text in texts.items()]


def test_a_bad_document_is_named_and_the_rest_goes_on() -> None:
    items = read('{"1": {"text": "X"}, "2": [1], "3": {"text": }, "4": {"text": ""}, , "5": {"text": "Y"}}', "json")
    assert [one.document and one.document.id for one in items] == ["1", None, None, None, None, "5"]
    assert {2: "no object", 3: "no JSON", 4: "empty", 5: "nothing stands between"}.keys() == problems(items).keys()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("", "is no JSON array and no JSON object"),
        ("text", "is no JSON array and no JSON object"),
        ('{"1": {"text": "X"}', "ends in the middle"),
        ('[{"text": "X', "ends in the middle"),
        ('[{"text": "X"}] []', "goes on behind the end"),
        ('{"text": "X"}\n{"text": "Y"}\n', "goes on behind the end"),
        ("\ufeff", "is no JSON array and no JSON object"),
    ],
)
def test_what_is_no_whole_json_is_refused_before_anything_is_read(tmp_path: Path, data: str, says: str) -> None:
    with pytest.raises(DocumentError, match=says):
        read_documents(save(tmp_path, "a.json", data), "json")


def test_a_document_that_is_too_long_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_ROW_BYTES", 100)
    items = read(f'[{{"text": "{"x" * 999}"}}, {{"text": "behind"}}]', "json")
    assert "100 bytes" in problems(items)[1]
    assert items[1].document == Document("behind")


def test_utf_16_is_named_and_spaces_before_the_value_are_read_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DocumentError, match="is UTF-16: save it as UTF-8"):
        read_documents(save(tmp_path, "a.json", '[{"text": "X"}]'.encode("utf-16")), "json")
    monkeypatch.setattr(json_documents, "_CHUNK_BYTES", 4)
    assert documents(read(" " * 9 + '[{"text": "X"}]' + " " * 9, "json")) == [Document("X")]
    with pytest.raises(DocumentError, match="goes on behind the end"):
        read('[{"text": "X"}]' + " " * 9 + "1", "json")


def test_a_document_that_is_not_utf_8_is_one_bad_row() -> None:
    items = read(b'[{"text": "\xff"}, {"text": "behind"}]', "json")
    assert problems(items) == {1: "it is not UTF-8: save the file as UTF-8"}
    assert items[1].document == Document("behind")
