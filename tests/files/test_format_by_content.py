"""A format is told by what a file holds; its name decides only where that shows nothing."""

import io
import json
from pathlib import Path

import pytest

from biogpt_onnx.files.formats import Format
from biogpt_onnx.files.opening.content import format_by_content
from biogpt_onnx.files.reading import detect_format, read_documents
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
