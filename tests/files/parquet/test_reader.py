"""Parquet gives the documents that a table of the same columns does."""

import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx import DocumentError
from biogpt_onnx.files.parquet import reader
from biogpt_onnx.files.parquet.pages import page_sizes
from biogpt_onnx.files.reading import detect_format, read_documents, read_fields
from biogpt_onnx.files.text.columns import Columns
from biogpt_onnx.tasks.document import Document, NamedEntity
from makers.documents import documents, problems, save

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

ROWS = [
    {"id": "1", "title": "Tremor.", "text": "Lithium caused tremor.", "question": "Why?"},
    {"id": None, "title": None, "text": "Haloperidol.", "question": None},
]


def table(folder: Path, columns: dict[str, Any], name: str = "a.parquet", **options: object) -> Path:
    path = folder / name
    pq.write_table(pa.table(columns), path, **options)
    return path


def test_rows_are_documents(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), path)
    assert documents(list(read_documents(path))) == [
        Document("Lithium caused tremor.", "1", "Tremor.", "Why?"),
        Document("Haloperidol."),
    ]
    assert [row.line for row in read_documents(path)] == [1, 2]


def test_the_content_shows_the_format(tmp_path: Path) -> None:
    path = table(tmp_path, {"text": ["Lithium."]}, name="a.jsonl")
    assert detect_format(path) == ("parquet", "jsonl")
    assert documents(list(read_documents(path))) == [Document("Lithium.")]


@pytest.mark.parametrize(
    ("columns", "names", "expected"),
    [
        ({"PMID": pa.array([7], pa.int32()), "Abstract": ["Lithium."]}, Columns(), Document("Lithium.", "7")),
        ({"body": ["Lithium."], "text": ["Other."]}, Columns(text="BODY"), Document("Lithium.")),
        ({"a": ["7"], "b": ["Lithium."]}, Columns(text="2", id="1"), Document("Lithium.", "7")),
        ({"text": pa.array(["Lithium."], pa.large_string())}, Columns(), Document("Lithium.")),
        ({"text": pa.array(["Lithium."]).dictionary_encode()}, Columns(), Document("Lithium.")),
        ({"contexts": [["One.", "Two."]]}, Columns(), Document("One. Two.")),
        ({"context": [{"contexts": ["One.", "Two."], "labels": [1]}]}, Columns(), Document("One. Two.")),
        ({"text": ["One."], "text.more": ["Two."]}, Columns(), Document("One.")),
        ({"text": ["One."], "text.more": ["Two."]}, Columns(text="text.more"), Document("Two.")),
    ],
)
def test_columns_have_the_names_that_tables_have(
    tmp_path: Path, columns: dict[str, Any], names: Columns, expected: Document
) -> None:
    assert documents(list(read_documents(table(tmp_path, columns), columns=names))) == [expected]


def test_entities_are_names_or_objects(tmp_path: Path) -> None:
    entities = [[{"text": "Lithium", "type": "Chemical", "span": [0, 7], "concept": "D008094"}]]
    path = table(tmp_path, {"text": ["Lithium."], "entities": entities})
    (found,) = documents(list(read_documents(path, columns=Columns(entities="entities"))))
    assert found.entities == (NamedEntity("Lithium", "Chemical", ((0, 7),), "D008094"),)


def test_a_conclusion_is_read_where_it_is_asked_for_and_may_be_anything_where_not(tmp_path: Path) -> None:
    path = table(tmp_path, {"text": ["Lithium."], "conclusion": ["It caused tremor."]})
    (found,) = documents(list(read_documents(path, columns=Columns(with_conclusion=True))))
    assert found == Document("Lithium.", conclusion="It caused tremor.")
    path = table(tmp_path, {"text": ["Lithium."], "conclusion": [0.5]})
    assert documents(list(read_documents(path))) == [Document("Lithium.")]
    with pytest.raises(DocumentError, match="a column conclusion of type double"):
        list(read_documents(path, columns=Columns(with_conclusion=True)))


def test_all_fields_are_there_for_who_asks_for_them(tmp_path: Path) -> None:
    path = table(tmp_path, {"text": ["Lithium."], "Labels": [["a", "b"]], "year": [1999]})
    ((row),) = read_fields(path)
    assert (row.fields["labels"], row.fields["year"]) == (["a", "b"], 1999)


def test_bad_rows_do_not_end_the_file(tmp_path: Path) -> None:
    text = pa.array([b"Lithium.", b"caf\xe9", b" "], pa.binary()).cast(pa.string(), safe=False)
    rows = list(read_documents(table(tmp_path, {"text": text})))
    assert [row.document and row.document.text for row in rows] == ["Lithium.", None, None]
    assert problems(rows) == {2: "a text of the row is not UTF-8: write it anew", 3: "the text is empty: give a text"}


@pytest.mark.parametrize(
    ("columns", "names", "message"),
    [
        ({"body": ["x"]}, Columns(), r"has no column text, abstract, .* \(it has body\): give another"),
        ({"text": ["x"]}, Columns(id="key"), r"has no column key \(it has text\)"),
        ({"text": ["x"], "Text": ["y"]}, Columns(), "has 2 columns text"),
        ({"text": [1.5]}, Columns(), "has a column text of type double: write it as strings"),
        ({"text": ["x"], "pmid": [7.0]}, Columns(), "has a column pmid of type double: .*ids may be whole numbers"),
        ({"text": [b"x"]}, Columns(), "has a column text of type binary"),
    ],
)
def test_tables_without_what_is_asked_for(
    tmp_path: Path, columns: dict[str, Any], names: Columns, message: str
) -> None:
    with pytest.raises(DocumentError, match=message):
        read_documents(table(tmp_path, columns), columns=names)


def test_damage_is_found_before_the_first_row(tmp_path: Path) -> None:
    path = table(tmp_path, {"text": [f"{n} {'x' * 50}" for n in range(5000)]}, write_page_checksum=True)
    whole = path.read_bytes()
    changed = whole[:9000] + bytes([whole[9000] ^ 1]) + whole[9001:]
    for content, message in (
        (whole[:-20], "is no whole Parquet file, as its end is missing"),
        (whole[:-8] + b"\xff\xff\xff\x0fPAR1", "describes its columns in 268,435,455 bytes"),
        (b"PAR1" + whole[-8:], "describes its columns in"),
        (changed, "is a damaged Parquet file"),
        (whole[:4] + b"\0" * 100 + whole[104:], "is a damaged Parquet file"),
    ):
        path.write_bytes(content)
        with pytest.raises(DocumentError, match=message):
            read_documents(path)


def test_names_of_columns_that_are_not_utf_8_are_damage(tmp_path: Path) -> None:
    path = table(tmp_path, {"text": ["x"]}, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"text", b"\xfaext"))
    with pytest.raises(DocumentError, match="is a damaged Parquet file"):
        read_documents(path)


BEYOND_PYTHON: dict[str, Any] = {
    "date": pa.array([1, 2**30], pa.date32()),
    "time": pa.array([1, 2**62], pa.timestamp("us")),
    "time of an unknown zone": pa.array([1, 2], pa.timestamp("us", tz="America/Nowhere")),
    "list of dates": pa.array([[1], [2**30]], pa.list_(pa.date32())),
    "object with a date": pa.StructArray.from_arrays([pa.array([1, 2**30], pa.date32())], names=["born"]),
}


@pytest.mark.parametrize("name", BEYOND_PYTHON)
def test_values_that_python_cannot_hold_are_no_bar_in_columns_that_are_not_asked_for(tmp_path: Path, name: str) -> None:
    path = table(tmp_path, {"text": ["Lithium.", "Tremor."], "weight": [0.5, 1.5], "seen": BEYOND_PYTHON[name]})
    assert [document.text for document in documents(list(read_documents(path)))] == ["Lithium.", "Tremor."]
    fields = [row.fields for row in read_fields(path)]
    assert [(row["weight"], "seen" in row) for row in fields] == [(0.5, False), (1.5, False)]


def test_a_value_that_python_cannot_hold_is_an_error_of_its_row(tmp_path: Path) -> None:
    twice = pa.StructArray.from_arrays([pa.array(["x", "y"]), pa.array(["x", "y"])], names=["a", "a"])
    found = problems(list(read_documents(table(tmp_path, {"text": twice}))))
    assert found.keys() == {1, 2}
    assert found[1].startswith("a value of the row cannot be read (")
    path = table(tmp_path, {"text": ["Lithium.", "Tremor."], "entities": BEYOND_PYTHON["date"]})
    found = problems(list(read_documents(path, columns=Columns(entities="entities"))))
    assert found[2].startswith("a value of the row cannot be read (")


def test_what_unpacks_to_far_more_than_tables_do_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table(tmp_path, {"text": pa.nulls(300_000, pa.string())}, compression="zstd")
    monkeypatch.setattr(reader, "ALWAYS_UNPACKED", 1000)
    with pytest.raises(DocumentError, match="unpacks to more than 200 times its size"):
        read_documents(path)


FORMS: dict[str, dict[str, Any]] = {
    "pages of the second version": {"data_page_version": "2.0", "write_page_index": True},
    "small pages, checksums": {"data_page_size": 200, "row_group_size": 300, "write_page_checksum": True},
    "no statistics": {"write_statistics": False, "store_schema": False, "compression": "none"},
    "no dictionary": {"use_dictionary": False, "compression": "brotli"},
    "small dictionary": {"dictionary_pagesize_limit": 100, "compression": "gzip"},
}


@pytest.mark.parametrize("form", FORMS)
def test_sizes_of_pages_are_those_of_the_library(tmp_path: Path, form: str) -> None:
    rows = 1000
    path = table(
        tmp_path,
        {"text": [f"{n} {'x' * (n % 90)}" for n in range(rows)], "names": [["a", "b"]] * rows, "is": [True] * rows},
        **FORMS[form],
    )
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    chunks = [group.column(place) for group in groups for place in range(metadata.num_columns)]
    with path.open("rb") as stream:
        found = list(page_sizes(stream))
    # What a column takes in the file are its pages and their headers.
    headers = sum(chunk.total_compressed_size for chunk in chunks) - sum(page.packed for page in found)
    assert headers == sum(chunk.total_uncompressed_size for chunk in chunks) - sum(page.unpacked for page in found)
    assert 10 * len(found) < headers < 200 * len(found)
    assert len(documents(list(read_documents(path)))) == rows


def test_a_table_without_rows_has_no_documents(tmp_path: Path) -> None:
    assert list(read_documents(table(tmp_path, {"text": pa.array([], pa.string()), "id": pa.array([], "int64")}))) == []


def test_a_page_that_claims_to_unpack_to_far_more_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    path = table(tmp_path, {"text": ["Lithium."]}, compression="none", use_dictionary=False, write_statistics=False)
    whole = path.read_bytes()
    # The header begins with the kind of the page and its two sizes: 4 bytes of length and 8 of text, 6 of levels.
    begin, sizes = whole[:4], whole[4:10]
    assert sizes == b"\x15\x00\x15\x24\x15\x24", sizes
    for claimed, message in (
        (b"\x15\x00\x15\xfe\xff\xff\xff\x0f\x15\x24", "unpacks to more than 200 times its size"),
        (b"\x15\x00\x15\x24\x15\xfe\xff\xff\xff\x0f", "is a damaged Parquet file .a page ends behind the file"),
        (b"\x15\x00\x15\x24\x15\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff\x0f", "number in a header is too large"),
        (b"\x15\x00\x15\x23\x15\x24", "header of a page has no sizes"),
    ):
        path.write_bytes(begin + claimed + whole[10:])
        with pytest.raises(DocumentError, match=message):
            read_documents(path)


def test_parquet_is_read_from_plain_files_alone(tmp_path: Path) -> None:
    content = table(tmp_path, {"text": ["Lithium."]}).read_bytes()
    with pytest.raises(DocumentError, match="is Parquet, but compressed by gzip"):
        read_documents(save(tmp_path, "a.parquet.gz", gzip.compress(content)))
    with pytest.raises(DocumentError, match="standard input is Parquet, but no file of its own"):
        read_documents(io.BytesIO(content))


def test_a_table_of_a_single_row_group_is_read_in_pieces(tmp_path: Path) -> None:
    before = pa.total_allocated_bytes()
    path = tmp_path / "a.parquet"
    rows = [json.dumps(list(range(n, n + 400))) for n in range(20_000)]
    pq.write_table(pa.table({"text": rows}), path, compression="none", use_dictionary=False, row_group_size=20_000)
    del rows
    most = 0
    for _ in read_documents(path):
        most = max(most, pa.total_allocated_bytes() - before)
    assert path.stat().st_size > 40_000_000
    assert most < 8_000_000


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"absent\.parquet cannot be read \(No such file"):
        list(reader.read_parquet(tmp_path / "absent.parquet", Columns()))


def test_without_the_library_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table(tmp_path, {"text": ["Lithium."]})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DocumentError, match=r'pip install "biogpt-onnx\[parquet\]"'):
        list(read_documents(path))
