"""Files that cannot be read at all, and how a file's format is known."""

import io
import json
import sys
from pathlib import Path

import pytest

from biogpt_onnx.files.annotations import RelationSchema
from biogpt_onnx.files.bioc.xml_writer import BioC
from biogpt_onnx.files.formats import FORMATS, Format, format_of
from biogpt_onnx.files.reading import detect_format, read_documents
from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.tasks.document import Document
from makers.documents import documents, read, save

TEXT_FORMATS = tuple(each for each in FORMATS if each not in {"bioc", "biocjson", "json", "pubmed", "jats", "parquet"})


@pytest.mark.parametrize(
    ("name", "file_format"),
    [
        ("a.txt", "text"),
        ("a.jsonl", "jsonl"),
        ("a.ndjson", "jsonl"),
        ("a.csv", "csv"),
        ("a.TSV", "tsv"),
        ("a.pubtator", "pubtator"),
        ("CDR_TestSet.PubTator.txt", "pubtator"),
        ("folder.csv/a.xml", "bioc"),
        ("a.json", "biocjson"),
    ],
)
def test_the_name_says_the_format(name: str, file_format: Format) -> None:
    assert format_of(name) == file_format


@pytest.mark.parametrize("name", ["a", "a.pdf", "a.gz", "folder.csv/a"])
def test_a_name_that_says_nothing_needs_a_format(name: str) -> None:
    with pytest.raises(DocumentError, match="give its format, one of text, jsonl"):
        format_of(name)


def test_a_format_that_is_given_counts_more_than_the_name(tmp_path: Path) -> None:
    path = save(tmp_path, "a.csv", '{"text": "X"}\n')
    assert documents(list(read_documents(path, "jsonl"))) == [Document("X")]


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(DocumentError, match="'docx'"):
        read_documents(io.BytesIO(b"X"), "docx")  # type: ignore[arg-type]


def test_standard_input_is_text_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for file_format, data in ((None, b"X\n"), ("jsonl", b'{"text": "X"}\n')):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert documents(list(read_documents("-", file_format))) == [Document("X")]  # type: ignore[arg-type]


def test_a_stream_stays_open() -> None:
    stream = io.BytesIO(b"X\nY\n")
    list(read_documents(stream))
    next(read_documents(io.BytesIO(b"X\nY\n")))
    assert not stream.closed


@pytest.mark.parametrize("file_format", TEXT_FORMATS)
@pytest.mark.parametrize("data", [bytes(range(256)) * 40, "text\n".encode("utf-16"), "text\n".encode("utf-16-le") * 9])
def test_a_binary_file_is_refused_by_name(tmp_path: Path, file_format: Format, data: bytes) -> None:
    path = save(tmp_path, "a.bin", data)
    with pytest.raises(DocumentError, match=r"a\.bin is (binary|UTF-16)"):
        read_documents(path, file_format)


@pytest.mark.parametrize("file_format", ["text", "jsonl", "pubtator"])
@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\n\r\n  \n"])
def test_a_file_without_documents_has_none(file_format: Format, data: bytes) -> None:
    assert read(data, file_format) == []


@pytest.mark.parametrize("file_format", ["csv", "tsv", "bioc", "biocjson"])
def test_an_empty_file_of_a_form_that_is_never_empty_is_refused(file_format: Format) -> None:
    with pytest.raises(DocumentError, match="standard input"):
        read(b"", file_format)


@pytest.mark.parametrize("name", ["absent.txt", "folder.txt"])
def test_a_file_that_cannot_be_opened_is_refused_at_once(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(DocumentError, match=rf"{name} cannot be read \("):
        read_documents(tmp_path / name)


def test_a_table_without_the_column_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"a\.csv has no column text, abstract.*\(it has id, note\)"):
        read_documents(save(tmp_path, "a.csv", "id,note\n1,X\n"))


def test_without_the_library_bioc_is_read_and_its_writer_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bioc", None)
    monkeypatch.setitem(sys.modules, "lxml", None)
    passages = "<passage><offset>0</offset><text>X</text></passage>"
    xml = f"<collection><document><id>1</id>{passages}</document></collection>"
    data = json.dumps({"documents": [{"id": "1", "passages": [{"offset": 0, "text": "X"}]}]})
    for name, content in (("a.xml", xml), ("a.json", data)):
        assert documents(list(read_documents(save(tmp_path, name, content)))) == [Document("X", "1")]
    with pytest.raises(DocumentError, match=r'pip install "biogpt-onnx\[files\]"'):
        BioC(RelationSchema("CID", "Chemical", "Disease"))


PUBTATOR = "1|t|Lithium\n1|a|It works.\n1\t0\t7\tLithium\tChemical\tD1\n"
BIOC = "<?xml version='1.0'?>\n<!DOCTYPE collection SYSTEM 'BioC.dtd'>\n<!-- -->\n<collection></collection>"
BIOC_JSON = '{"source": "", "documents": [{"id": "1", "passages": [{"offset": 0, "text": "X"}]}]}\n'


@pytest.mark.parametrize(
    ("name", "content", "file_format"),
    [
        ("corpus_pubtator.txt", PUBTATOR, "pubtator"),
        ("corpus.tsv", PUBTATOR, "pubtator"),
        ("corpus", PUBTATOR, "pubtator"),
        ("corpus.txt", BIOC, "bioc"),
        ("corpus.jsonl", BIOC_JSON * 2, "biocjson"),
        ("corpus.ndjson", '{"passages": [{"text": "X", "offset": 0}]}', "biocjson"),
        ("corpus.json", '\ufeff{"documents": []}', "biocjson"),
        ("corpus.txt", "Lithium works.\n", "text"),
        ("rows.jsonl", '{"text": "it says \\"documents\\": [{}] and \\"passages\\": ["}\n', "jsonl"),
        ("rows.jsonl", '{"text": "X", "passages": ["a", "b"]}\n', "jsonl"),
        ("rows.jsonl", '{"text": "X", "documents": ["a", "b"]}\n', "jsonl"),
    ],
)
def test_annotated_documents_are_told_by_their_content(
    tmp_path: Path, name: str, content: str, file_format: Format
) -> None:
    path = save(tmp_path, name, content)
    assert detect_format(path).format == file_format
    assert list(read_documents(path)) == read(content, file_format)


def test_annotated_documents_on_standard_input_are_told_by_their_content(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in (io.BytesIO(PUBTATOR.encode()), io.BufferedReader(io.BytesIO(PUBTATOR.encode()))):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(stream))
        assert list(read_documents("-")) == read(PUBTATOR, "pubtator")


def test_a_format_that_is_given_counts_more_than_the_content(tmp_path: Path) -> None:
    assert len(list(read_documents(save(tmp_path, "a.pubtator", PUBTATOR), "text"))) == 3
