"""Text, JSON lines and tables: which rows are documents, and what is said of those that are none."""

import csv
import io
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx.files import rows
from biogpt_onnx.files.formats import Format
from biogpt_onnx.files.reading import read_documents
from biogpt_onnx.files.text.columns import TEXT_NAMES, Columns
from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.tasks.document import Document, NamedEntity
from makers.documents import documents, problems, read

BY_LINE: tuple[Format, ...] = ("text", "jsonl", "csv", "tsv", "pubtator")
# No surrogates, and something that is no space.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(str.strip)


def test_a_text_file_holds_a_document_a_line() -> None:
    items = read("Aspirin inhibits COX-1.\n\n  \nMetformin lowers glucose. \n", "text")
    assert documents(items) == [Document("Aspirin inhibits COX-1."), Document("Metformin lowers glucose. ")]
    assert [one.line for one in items] == [1, 4]


def test_the_last_line_needs_no_end() -> None:
    assert documents(read("one\ntwo", "text")) == [Document("one"), Document("two")]


def test_json_lines_have_fields() -> None:
    row = {"id": "a", "title": "T", "text": "X", "question": "Q?", "year": 2020, "authors": ["B"]}
    assert documents(read(json.dumps(row), "jsonl")) == [Document("X", "a", "T", "Q?")]


@pytest.mark.parametrize("name", TEXT_NAMES)
def test_the_text_has_several_names(name: str) -> None:
    assert documents(read(json.dumps({name: "X"}), "jsonl")) == [Document("X")]
    assert documents(read(f"id,{name}\n1,X\n", "csv")) == [Document("X", "1")]


def test_of_several_texts_the_first_name_counts() -> None:
    assert documents(read('{"term": "X", "abstract": "Y"}', "jsonl")) == [Document("Y")]


@pytest.mark.parametrize(("given_id", "read_id"), [(12345, "12345"), ("12345", "12345"), (None, None), ("", None)])
def test_an_id_may_be_a_number_or_missing(given_id: object, read_id: str | None) -> None:
    assert documents(read(json.dumps({"id": given_id, "text": "X"}), "jsonl"))[0].id == read_id


def test_two_documents_may_have_one_id() -> None:
    assert len(documents(read('{"id": 1, "text": "X"}\n{"id": 1, "text": "Y"}\n', "jsonl"))) == 2


def test_a_title_of_spaces_moves_no_span() -> None:
    assert documents(read('{"title": " ", "text": "X"}', "jsonl"))[0].full_text == "X"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{", "no JSON"),
        ("[1]", "no object"),
        ('"text"', "no object"),
        ("{}", "no field"),
        ('{"id": 1, "title": "T"}', "no field text, abstract"),
        ('{"text": ""}', "empty"),
        ('{"text": " \\t"}', "empty"),
        ('{"text": null}', "empty"),
        ('{"text": 5}', "a number"),
        ('{"text": ["X"]}', "a list"),
        ('{"text": {"a": "X"}}', "an object"),
        ('{"text": "X", "title": true}', "title is true or false"),
        ('{"text": "X", "id": true}', "id is true or false"),
        ('{"text": "X", "id": 1.5}', "id is a number"),
        ('{"text": "half \\ud83d"}', "surrogate"),
        ('{"text": "X", "id": "\\udc00"}', "the id holds half of a surrogate"),
        ("[" * 100_000, "nested"),
        ('{"text": "X", "text": "Y"}', "it has the field 'text' 2 times in one object: keep one of them"),
        ('{"text": "X", "more": {"a": 1, "b": 2, "a": 3, "a": 4}}', "the field 'a' 3 times"),
        ('{"contexts": ["X", 5]}', "the field contexts is a list: give a list of strings, or one string"),
        ('{"text": "X", "number": ' + "9" * 5000 + "}", "no JSON"),
    ],
)
def test_a_bad_json_row_is_named_and_the_rest_goes_on(row: str, says: str) -> None:
    items = read(f'{{"text": "before"}}\n{row}\n{{"text": "behind"}}\n', "jsonl")
    assert [one.line for one in items] == [1, 2, 3]
    assert list(problems(items)) == [2]
    assert says in problems(items)[2]
    assert "\n" not in problems(items)[2]
    assert items[0].document == Document("before")
    assert items[2].document == Document("behind")


def test_the_place_of_an_error_is_counted_from_one() -> None:
    assert problems(read('{"text": x}\n', "jsonl")) == {1: "it is no JSON (Expecting value, character 10): mend it"}


@pytest.mark.parametrize("part", ["text", "type", "concept"])
def test_half_of_a_surrogate_pair_in_an_entity_is_the_problem_of_its_row(part: str) -> None:
    rows = [{"text": "X", "entities": [{"text": "Y"} | {part: "half \ud83d"}]}, {"text": "X", "entities": ["\udc00"]}]
    content = "".join(f"{json.dumps(row)}\n" for row in rows)
    found = list(read_documents(io.BytesIO(content.encode()), "jsonl", Columns(entities="entities")))
    assert [row.document for row in found] == [None, None]
    assert f"an entity's {part} holds half of a surrogate pair (character 6)" in str(found[0].problem)
    assert "an entity's text holds half of a surrogate pair" in str(found[1].problem)


def test_a_pair_of_surrogates_is_a_character() -> None:
    assert documents(read('{"text": "\\ud83d\\ude00"}', "jsonl")) == [Document("\U0001f600")]


@pytest.mark.parametrize("file_format", ["text", "jsonl", "csv", "tsv"])
def test_a_line_that_is_not_utf_8_is_one_bad_row(file_format: Format) -> None:
    rows = {
        "text": [b"one", b"caf\xe9", b"three"],
        "jsonl": [b'{"text": "one"}', b'{"text": "caf\xe9"}', b'{"text": "three"}'],
        "csv": [b"text", b"one", b"caf\xe9", b"three"],
        "tsv": [b"text", b"one", b"caf\xe9", b"three"],
    }[file_format]
    items = read(b"\n".join(rows), file_format)
    bad = rows.index(next(row for row in rows if b"\xe9" in row)) + 1
    assert "UTF-8" in problems(items)[bad]
    assert [one.document and one.document.text for one in items] == ["one", None, "three"]


@pytest.mark.parametrize("file_format", ["text", "jsonl", "csv", "tsv"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_byte_order_marks_and_windows_endings_are_no_part_of_a_text(
    file_format: Format, ending: str, mark: str
) -> None:
    rows = {
        "text": ["one", "two"],
        "jsonl": ['{"text": "one"}', '{"text": "two"}'],
        "csv": ["text", "one", "two"],
        "tsv": ["text", "one", "two"],
    }[file_format]
    items = read(mark + "".join(row + ending for row in rows), file_format)
    assert documents(items) == [Document("one"), Document("two")]


@pytest.mark.parametrize("file_format", ["text", "jsonl", "csv", "tsv"])
@pytest.mark.parametrize("ending", ["\r", "\n", "\r\n"])
def test_lines_end_as_they_are_meant_and_marks_of_joined_files_are_taken_off(file_format: Format, ending: str) -> None:
    row = '{{"text": "{}"}}' if file_format == "jsonl" else "{}"
    header = "text" + ending if file_format in {"csv", "tsv"} else ""
    body = "".join(mark + row.format(text) + ending for mark, text in (("", "one"), ("\ufeff", "two"), ("", "three")))
    items = read(header + body, file_format)
    assert documents(items) == [Document("one"), Document("two"), Document("three")]
    assert [one.line for one in items] == [1 + bool(header), 2 + bool(header), 3 + bool(header)]


@pytest.mark.parametrize("size", [65_534, 65_535, 65_536, 65_537])
@pytest.mark.parametrize("ending", ["\r", "\r\n"])
def test_a_line_may_end_where_a_piece_of_the_file_does(size: int, ending: str) -> None:
    assert documents(read("x" * size + ending + "two" + ending, "text")) == [Document("x" * size), Document("two")]


@pytest.mark.parametrize("place", [0, 20_000])
def test_a_nul_is_one_bad_row_wherever_it_stands(place: int) -> None:
    lines = ["some words"] * 30_000
    lines[place] = "a\0b"
    items = read("\n".join(lines), "text")
    assert problems(items) == {place + 1: "byte 2 of the line is a NUL: remove it"}
    assert len(items) == 30_000


def test_control_characters_stay_where_they_are() -> None:
    assert documents(read(b"a\x01b\x1cc\x7fd\xc2\x85e\xe2\x80\xa8f\n", "text")) == [
        Document("a\x01b\x1cc\x7fd\x85e\u2028f")
    ]
    assert documents(read('{"text": "a\\u0000b"}', "jsonl")) == [Document("a\0b")]


@pytest.mark.parametrize("file_format", BY_LINE)
def test_a_line_without_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch, file_format: Format) -> None:
    monkeypatch.setattr(rows, "MAX_ROW_BYTES", 100)
    header = "text\n" if file_format in {"csv", "tsv"} else ""
    row = {"jsonl": '{"text": "behind"}', "pubtator": "1|t|behind"}.get(file_format, "behind")
    gap = "\n" if file_format == "pubtator" else ""
    items = read(f"{header}{'x' * 50_000}\n{gap}{row}\n", file_format)
    assert [one.document for one in items][1:] == [Document("behind", "1" if file_format == "pubtator" else None)]
    assert "100 bytes" in (items[0].problem or "")


def test_a_line_of_just_the_most_bytes_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_ROW_BYTES", 10)
    assert [one.problem is None for one in read("012345678\n0123456789\n0\n", "text")] == [True, False, True]


def test_a_document_that_is_too_long_is_one_bad_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_CHARACTERS", 10)
    items = read('{"text": "0123456", "title": "012"}\n{"text": "0123456", "title": "0123"}\n', "jsonl")
    assert list(problems(items)) == [2]
    assert "11 characters" in problems(items)[2]


@pytest.mark.parametrize("file_format", BY_LINE)
def test_files_are_read_as_they_are_asked_for(file_format: Format) -> None:
    row = {
        "text": b"some words\n",
        "jsonl": b'{"text": "some words"}\n',
        "csv": b"some words\n",
        "tsv": b"some words\n",
        "pubtator": b"1|t|some words\n\n",
    }[file_format]

    class Endless(io.RawIOBase):
        given = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any, /) -> int:
            piece = b"text\n" if self.given == 0 and file_format in {"csv", "tsv"} else row
            self.given += 1
            assert self.given < 5000, "the whole file is read"
            buffer[: len(piece)] = piece
            return len(piece)

    items = read_documents(io.BufferedReader(Endless()), file_format)
    assert [next(items).problem for _ in range(100)] == [None] * 100


def test_a_table_has_a_header() -> None:
    table = "PMID,Title,Abstract,Year\n7,T,X,2020\n"
    assert documents(read(table, "csv", Columns(id="PMID"))) == [Document("X", "7", "T")]
    assert documents(read(table.replace(",", "\t"), "tsv", Columns(id="pmid"))) == [Document("X", "7", "T")]


def test_quoted_fields_may_hold_lines_commas_and_quotation_marks() -> None:
    items = read('id,text\n1,"a, ""b""\r\nc"\n2,d\n', "csv")
    assert documents(items) == [Document('a, "b"\r\nc', "1"), Document("d", "2")]
    assert [one.line for one in items] == [2, 4]


def test_quotation_marks_in_a_tab_separated_table_are_text() -> None:
    assert documents(read('text\n"Smart" insulin\n5" tube\n', "tsv")) == [
        Document('"Smart" insulin'),
        Document('5" tube'),
    ]


@pytest.mark.parametrize("row", ["1", "1,X,more", '1,"X"Y'])
def test_a_bad_table_row_is_named_and_the_rest_goes_on(row: str) -> None:
    items = read(f"id,text\n0,before\n{row}\n2,behind\n", "csv")
    assert list(problems(items)) == [3]
    assert [one.document and one.document.text for one in items] == ["before", None, "behind"]


@pytest.mark.parametrize("rows_behind", [1, 50])
def test_a_quotation_mark_that_nothing_closes_costs_one_row(rows_behind: int) -> None:
    behind = "".join(f"{number},behind\n" for number in range(rows_behind))
    items = read(f'id,text\n0,before\n1,"never closed\n{behind}', "csv")
    assert list(problems(items)) == [3]
    assert "quoted field" in problems(items)[3]
    assert [one.line for one in items if one.document] == [2, *range(4, 4 + rows_behind)]


def test_a_field_may_be_longer_than_the_librarys_own_limit() -> None:
    limit = csv.field_size_limit()
    text = "x" * (limit + 1)
    assert documents(read(f"text\n{text}\n", "csv")) == [Document(text)]
    assert csv.field_size_limit() == limit


def test_bytes_that_are_not_utf_8_within_a_row_of_several_lines_are_one_bad_row() -> None:
    items = read(b'id,text\n1,"a\nb\xff\nc"\n2,d\n', "csv")
    assert list(problems(items)) == [2]
    assert items[1].line == 5


@pytest.mark.parametrize("file_format", ["csv", "tsv"])
@pytest.mark.parametrize("header", ["", "id,title\n", "id,text,TEXT\n"])
def test_a_table_without_a_column_for_the_text_is_refused(file_format: Format, header: str) -> None:
    data = header.replace(",", "\t") if file_format == "tsv" else header
    with pytest.raises(DocumentError, match="standard input"):
        read(data, file_format)


def test_a_header_may_repeat_what_is_not_read() -> None:
    assert documents(read("note,text,note\na,X,b\n", "csv")) == [Document("X")]


def test_a_column_that_is_asked_for_must_be_there() -> None:
    with pytest.raises(DocumentError, match="no column heading"):
        read("title,text\nT,X\n", "csv", Columns(title="heading"))
    items = read('{"text": "X"}\n{"text": "X", "heading": "T"}\n', "jsonl", Columns(title="heading"))
    assert "no field heading" in problems(items)[1]
    assert items[1].document == Document("X", title="T")


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=5))
def test_what_is_written_as_json_is_read_back(rows: list[tuple[str, str]]) -> None:
    lines = [json.dumps({"id": name, "text": text}, ensure_ascii=False) for name, text in rows]
    assert documents(read("\n".join(lines), "jsonl")) == [Document(text, name) for name, text in rows]


@given(st.lists(TEXTS, max_size=5))
def test_what_is_written_as_a_table_is_read_back(texts: list[str]) -> None:
    # No text holds a NUL.
    texts = [text.replace("\0", " ").strip() or "x" for text in texts]
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
    writer.writerows([["text"], *([text] for text in texts)])
    assert documents(read(stream.getvalue(), "csv")) == [Document(text) for text in texts]


@given(st.binary(max_size=200), st.sampled_from(BY_LINE))
def test_no_bytes_break_a_reader(data: bytes, file_format: Format) -> None:
    try:
        items = read(data, file_format)
    except DocumentError:
        return
    assert all((one.document is None) == (one.problem is not None) for one in items)
    assert [one.line for one in items] == sorted({one.line for one in items})


@pytest.mark.parametrize("file_format", BY_LINE)
def test_lines_may_end_with_a_carriage_return_alone(file_format: Format) -> None:
    rows = {
        "text": ["one", "two"],
        "jsonl": ['{"text": "one"}', '{"text": "two"}'],
        "csv": ["text", "one", "two"],
        "tsv": ["text", "one", "two"],
        "pubtator": ["1|t|one", "", "2|t|two", ""],
    }[file_format]
    items = read("\r".join(rows), file_format)
    assert [one.text for one in documents(items)] == ["one", "two"]


@given(st.lists(st.sampled_from(["a", "b\r\n", "\r", "\n", "\r\r\n"]), max_size=8), st.integers(1, 4))
def test_lines_are_those_of_every_other_reader_wherever_the_stream_is_cut(pieces: list[str], size: int) -> None:
    text = "".join(pieces)

    class Cut(io.RawIOBase):
        place = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any, /) -> int:
            piece = text[self.place : self.place + size].encode()
            self.place += len(piece)
            buffer[: len(piece)] = piece
            return len(piece)

    wanted = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line]
    found = [(row.line, row.document.text) for row in read_documents(Cut(), "text") if row.document]  # type: ignore[arg-type]
    assert found == wanted


def test_joined_files_have_no_byte_order_mark_in_the_middle() -> None:
    assert documents(read("\ufeffone\n\ufefftwo\n", "text")) == [Document("one"), Document("two")]
    assert documents(read('\ufeff{"text": "X"}\n\ufeff{"text": "Y"}\n', "jsonl")) == [Document("X"), Document("Y")]


@pytest.mark.parametrize("rows_before", [0, 5000])
@pytest.mark.parametrize("file_format", ["text", "jsonl", "csv", "tsv"])
def test_a_nul_costs_its_own_row_wherever_it_stands(file_format: Format, rows_before: int) -> None:
    row = '{"text": "words"}' if file_format == "jsonl" else "words"
    header = ["text"] if file_format in {"csv", "tsv"} else []
    items = read("\n".join([*header, *[row] * rows_before, row.replace("w", "w\0"), row]), file_format)
    assert list(problems(items)) == [rows_before + 1 + len(header)]
    assert "is a NUL: remove it" in next(iter(problems(items).values()))
    assert items[-1].document == Document("words")


def test_a_column_may_be_a_number() -> None:
    table = "note,note\na,X\n"
    assert documents(read(table, "csv", Columns(text="2"))) == [Document("X")]
    assert documents(read(table, "csv", Columns(text="2", id="1", header=False))) == [
        Document("note", "note"),
        Document("X", "a"),
    ]
    # A column's own name counts more.
    assert documents(read("2,1\na,X\n", "csv", Columns(text="2"))) == [Document("a")]


def test_pubmedqas_table_needs_no_header() -> None:
    items = read("question: Why? context: So. answer: Yes.\tyes\nWhy?\tno\n", "tsv", Columns(with_conclusion=True))
    assert items[0].document == Document("So.", question="Why?", conclusion="Yes.")
    assert "must begin with 'question: '" in problems(items)[2]


@pytest.mark.parametrize(
    ("entities", "says"),
    [
        ("lithium", "the field names is a string: give a list of what the text names"),
        (None, "the field names is null"),
        ([5], "the field names holds a number: give names, or objects"),
        ([{"type": "Chemical"}], "the field names holds an object"),
        ([{"text": "X", "type": 5}], "the field type is a number: give a string"),
        ([{"text": "X", "span": [0]}], r"a span that is not \[start, end\]: give two whole numbers"),
        ([{"text": "X", "span": [0, True]}], "a span that is not"),
        ([{"text": "X", "span": {"0": 1}}], "a span that is not"),
    ],
)
def test_entities_that_are_none_are_the_problem_of_their_row(entities: object, says: str) -> None:
    content = "".join(json.dumps({"text": "X", "names": each}) + "\n" for each in (["X"], entities))
    items = read(content, "jsonl", Columns(entities="names"))
    assert items[0].document == Document("X", entities=(NamedEntity("X"),))
    assert re.search(says, problems(items)[2])


def test_entities_may_have_types_places_and_concepts() -> None:
    entity = {"text": "X", "type": "Chemical", "span": [0, 1], "concept": 5}
    (document,) = documents(
        read(json.dumps({"text": "X", "e": [entity, {"text": "X"}]}), "jsonl", Columns(entities="e"))
    )
    assert document.entities == (NamedEntity("X", "Chemical", ((0, 1),), "5"), NamedEntity("X"))


def test_a_conclusion_that_is_asked_for_must_be_there() -> None:
    rows = [{"text": "X", "long_answer": " So. "}, {"text": "X"}, {"text": "X", "conclusion": " "}]
    items = read("".join(json.dumps(row) + "\n" for row in rows), "jsonl", Columns(with_conclusion=True))
    assert items[0].document == Document("X", conclusion="So.")
    assert "it has no field conclusion, long_answer or LONG_ANSWER: add it" in problems(items)[2]
    assert "the field conclusion is empty: give a conclusion" in problems(items)[3]
    named = read(json.dumps(rows[0]), "jsonl", Columns(with_conclusion=True, conclusion="end"))
    assert problems(named) == {1: "it has no field end: add it"}


def test_a_table_without_a_header_says_which_column_is_the_text() -> None:
    with pytest.raises(DocumentError, match="has 2 columns without names: say which of them is the text"):
        read("1,X\n", "csv", Columns(header=False))
    assert documents(read("1,X\n2,Y\n", "csv", Columns(text="2", id="1", header=False))) == [
        Document("X", "1"),
        Document("Y", "2"),
    ]


def test_blank_lines_between_the_rows_of_a_table_are_skipped() -> None:
    items = read("id,text\n\n1,X\n\n\n2,Y\n", "csv")
    assert documents(items) == [Document("X", "1"), Document("Y", "2")]
    assert [one.line for one in items] == [3, 6]


def test_a_byte_that_is_not_utf_8_counts_more_than_the_quotation_mark_behind_it() -> None:
    items = read(b'id,text\n1,"a\xff\n2,X\n', "csv")
    assert "UTF-8" in problems(items)[2]
    assert items[1].document == Document("X", "2")


def test_a_line_of_plain_text_that_is_too_long_is_one_bad_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_CHARACTERS", 10)
    items = read("0123456789\n0123456789X\nbehind\n", "text")
    assert [one.document and one.document.text for one in items] == ["0123456789", None, "behind"]
    assert "11 characters" in problems(items)[2]
