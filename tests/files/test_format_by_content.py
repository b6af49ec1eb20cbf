"""A format is told by what a file holds; its name decides only where that shows nothing."""

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx.files.formats import Format
from biogpt_onnx.files.opening.content import format_by_content
from biogpt_onnx.files.opening.source import NamedStream, is_stream, open_source
from biogpt_onnx.files.reading import detect_format, read_documents, read_fields, read_versions
from biogpt_onnx.files.rows import Version
from biogpt_onnx.files.text.columns import Columns
from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.tasks.document import Document
from makers.documents import documents, save

BIOC = {"source": "x", "documents": [{"id": "1", "passages": []}]}
ROW = {"text": "X", "id": "1"}


@pytest.mark.parametrize(
    ("content", "file_format"),
    [
        ("1|t|A title\n1|a|Words.\n", "pubtator"),
        ("\ufeff\n\n1|a|Words.\n", "pubtator"),
        ("question: Why? context: So. answer: Yes.\tyes\n", "tsv"),
        ('<?xml version="1.0"?><!-- a --><!DOCTYPE collection SYSTEM "BioC.dtd"><collection>', "bioc"),
        ("<PubmedArticleSet>", "pubmed"),
        ('<!DOCTYPE article [<!ENTITY a "<b>">]>\n<article xmlns:xlink="x">', "jats"),
        ('<oai:OAI-PMH xmlns:oai="x">', "jats"),
        ('<!DOCTYPE article [<!ENTITY a "]">\n] >\n<article>', "jats"),
        ("<?xml version='1.0'?> <!-- <b> --> <!-- --> <?a > ?><collection>", "bioc"),
        # Searched in every way, a beginning that never ends would take minutes.
        ('<!DOCTYPE collection SYSTEM "' * 100_000, None),
        ("<!DOCTYPE collection [" * 100_000, None),
        ("<?" * 100_000, None),
        ("<html>", None),
        (json.dumps(ROW) + "\n" + json.dumps(ROW) + "\n", "jsonl"),
        (json.dumps(ROW), "jsonl"),
        ("{\n" + json.dumps(ROW) + "\n", "jsonl"),
        ('{"text": "X"\n' + json.dumps(ROW) + "\n", "jsonl"),
        (json.dumps([ROW]), "json"),
        (json.dumps([ROW], indent=2), "json"),
        (json.dumps({"1": ROW}), "json"),
        (json.dumps({"1": ROW}, indent=2), "json"),
        (json.dumps({"1": ROW | {"text": "X" * 99_000}})[:65536], "json"),
        (json.dumps(ROW | {"text": "X" * 99_000})[:65536], None),
        (json.dumps(BIOC), "biocjson"),
        (json.dumps(BIOC, indent=2), "biocjson"),
        (json.dumps([BIOC], indent=2), "biocjson"),
        (json.dumps(BIOC) + "\n" + json.dumps(BIOC) + "\n", "biocjson"),
        (json.dumps({"PubTator3": []}), "biocjson"),
        # A search that found nothing is a collection too, and not an object of rows.
        ('{"source": "x", "documents": [ ]}', "biocjson"),
        (json.dumps({"documents": []}) + "\n" + json.dumps(BIOC) + "\n", "biocjson"),
        ("{\n" + json.dumps(BIOC["documents"][0]) + "\n", "biocjson"),
        ("id,text\n1,X\n", None),
        ("Plain words | t | with bars.\n", None),
        ("", None),
    ],
)
def test_the_content_shows_the_format(content: str, file_format: Format | None) -> None:
    assert format_by_content(content.encode()) == file_format


def test_the_content_counts_more_than_the_name(tmp_path: Path) -> None:
    path = save(tmp_path, "a.json", f"{json.dumps(ROW)}\n{json.dumps(ROW)}\n")
    assert documents(list(read_documents(path))) == [Document("X", "1")] * 2
    assert detect_format(path) == ("jsonl", "biocjson")
    # What is asked for counts most.
    assert documents(list(read_documents(path, "text")))[0].text == json.dumps(ROW)


def test_a_name_that_several_formats_have_is_no_contradiction(tmp_path: Path) -> None:
    assert detect_format(save(tmp_path, "a.json", json.dumps([ROW]))) == ("json", None)
    assert detect_format(save(tmp_path, "a.xml", "<PubmedArticleSet/>")) == ("pubmed", None)


def test_a_stream_shows_its_format_too_and_is_not_waited_for() -> None:
    class Slow(io.RawIOBase):
        """Gives a row at a time, and no more than two."""

        given = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
            assert self.given < 2, "more is waited for than is needed"
            self.given += 1
            row = json.dumps(ROW).encode() + b"\n"
            buffer[: len(row)] = row
            return len(row)

    row = next(read_documents(Slow()))  # type: ignore[arg-type]
    assert row.document == Document("X", "1")


def test_a_stream_with_a_name_is_of_the_format_of_its_name() -> None:
    stream = NamedStream("folder/a.csv", io.BytesIO(b"id,text\n1,X\n"))
    assert documents(list(read_documents(stream))) == [Document("X", "1")]
    with pytest.raises(DocumentError, match=r"folder/a\.csv has no column"):
        read_documents(NamedStream("folder/a.csv", io.BytesIO(b"a,b\n1,X\n")))


def test_versions_of_other_formats_have_their_ids_and_one_format(tmp_path: Path) -> None:
    path = save(tmp_path, "a.jsonl", f"{json.dumps(ROW)}\n{{\n")
    found = list(read_versions(path))
    assert [(each.row.line, each.id) for each in found if isinstance(each, Version)] == [(1, "1"), (2, None)]
    assert len(list(read_versions(path, expected="jsonl"))) == 2
    with pytest.raises(DocumentError, match="is jsonl, and what came before it pubmed"):
        list(read_versions(path, expected="pubmed"))
    with pytest.raises(DocumentError, match="format is 'nothing': known are text"):
        list(read_versions(path, "nothing"))  # type: ignore[arg-type] # bad on purpose


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (Columns(entities="e"), "is text, which has no place for named entities"),
        (Columns(with_conclusion=True), "is text, which has no field for conclusions"),
    ],
)
def test_fields_that_a_format_lacks_cannot_be_asked_for(tmp_path: Path, columns: Columns, says: str) -> None:
    with pytest.raises(DocumentError, match=says):
        read_documents(save(tmp_path, "a.txt", "Words.\n"), columns=columns)


def test_fields_are_read_from_files_and_streams_that_have_them(tmp_path: Path) -> None:
    content = json.dumps(ROW | {"year": 2020}) + "\n"
    for source in (save(tmp_path, "a.jsonl", content), io.BytesIO(content.encode())):
        assert [row.fields for row in read_fields(source)] == [ROW | {"year": 2020}]
    with pytest.raises(DocumentError, match="is text, which has no named fields: give JSON or a table"):
        read_fields(save(tmp_path, "a.txt", "Words.\n"))


@pytest.mark.parametrize("line", [b"Lithium works.\n", b"Lithium works.\r", b'\xef\xbb\xbf\n {"text": "X"}\n'])
def test_one_whole_line_of_a_pipe_is_enough(line: bytes) -> None:
    class OneLine(io.RawIOBase):
        """Gives a line, and would be waited for then."""

        is_given = False

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any, /) -> int:
            assert not self.is_given, "more is waited for"
            self.is_given = True
            buffer[: len(line)] = line
            return len(line)

    with open_source(io.BufferedReader(OneLine())) as opened:
        assert opened.head() == line


def test_a_pipe_can_be_read_only_once_and_a_file_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path, "a.txt", "Lithium.\n")
    assert not is_stream(path)
    assert not is_stream(str(path))
    # The name stands for standard input, whatever files there are.
    monkeypatch.chdir(tmp_path)
    save(tmp_path, "-", "")
    assert is_stream("-")
    assert is_stream(io.BytesIO(b""))
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert is_stream(tmp_path / "pipe")
