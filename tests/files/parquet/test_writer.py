"""A Parquet table of results holds what JSON Lines does, with the types of the results' fields."""

import io
from typing import Any

import pytest

from biogpt_onnx import Usage
from biogpt_onnx.files.parquet import writer
from biogpt_onnx.files.parquet.writer import ParquetTable
from biogpt_onnx.files.records import Record, record_of
from biogpt_onnx.files.rows import Row
from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.results import Answer, Classification, Description, Relation, Relations, TaskResult

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

PLACES = {"line": int, "id": str}
RELATION = Relation("Lithium", "CID", "tremor", (0, 7), None, -0.5, other_spans=(((0, 7), None),))
RESULTS: list[TaskResult] = [
    Relations((RELATION,), ("left over",), "text", 10, complete=True, finish_reason="eos", usage=Usage(3, 4)),
    Answer("yes", {"yes": 0.75, "no": 0.25}, float("-inf"), "yes.", 5),
    Classification(("a",), {"a": 1.0, "b|c": 0.0}, (), "a", 5),
    Description("Bicalutamide is", -1.5, complete=False, finish_reason="length"),
]


def table_of(result: type[TaskResult], records: list[Record]) -> bytes:
    stream = io.BytesIO()
    ParquetTable(result, PLACES).write_all(records, stream)
    return stream.getvalue()


def plain(value: Any, like: Any) -> Any:
    """A value of the library in the form of JSON, without the nulls that JSON leaves out."""
    if isinstance(like, dict):
        value = dict(value)
        return {name: plain(value[name], each) for name, each in like.items()}
    return [plain(*pair) for pair in zip(value, like, strict=True)] if isinstance(like, list) else value


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
def test_a_table_holds_what_json_lines_hold(result: TaskResult) -> None:
    rows = [Row(1, Document("Lithium.", "7")), Row(2, Document("X")), Row(3, None, "the text is empty")]
    records = [record_of(rows[0], result), record_of(rows[1], DocumentError("too long")), record_of(rows[2], None)]
    table = pq.read_table(io.BytesIO(table_of(type(result), records)))
    found = table.to_pylist(maps_as_pydicts="strict")
    # Nothing is lost, as would be what has no column.
    assert [plain(row, record) for row, record in zip(found, records, strict=True)] == records
    assert [row["error"] for row in found] == [None, "too long", "the text is empty"]
    assert all(value is None for name, value in found[1].items() if name not in {"line", "id", "error"})


def test_columns_have_the_types_of_the_results() -> None:
    schema = pq.read_schema(io.BytesIO(table_of(Relations, [])))
    kinds = {each.name: str(each.type) for each in schema.field("relations").type.value_type}
    assert kinds == {
        **dict.fromkeys(("head", "relation", "tail", "head_concept", "tail_concept"), "string"),
        "head_span": "list<element: int64>",
        "tail_span": "list<element: int64>",
        "score": "double",
        "other_spans": "list<element: list<element: list<element: int64>>>",
        "in_source": "bool",
    }
    answers = pq.read_schema(io.BytesIO(table_of(Answer, [])))
    assert answers.field("probabilities").type == pa.map_(pa.string(), pa.float64())
    assert str(answers.field("read").type) == "int64"


@pytest.fixture
def _small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_GROUP_ROWS", 1000)


@pytest.mark.usefixtures("_small_groups")
def test_equal_records_give_equal_bytes_in_groups_of_one_size() -> None:
    records = [record_of(Row(line, Document("X", str(line))), RESULTS[0]) for line in range(1, 2501)]
    first, second = (table_of(Relations, records) for _ in range(2))
    assert first == second
    metadata = pq.ParquetFile(io.BytesIO(first)).metadata
    assert [metadata.row_group(place).num_rows for place in range(metadata.num_row_groups)] == [1000, 1000, 500]


@pytest.mark.usefixtures("_small_groups")
def test_the_rows_of_a_group_alone_are_in_memory() -> None:
    before, most = pa.total_allocated_bytes(), 0

    def records() -> Any:
        nonlocal most
        for line in range(8000):
            most = max(most, pa.total_allocated_bytes() - before)
            yield {"line": line, "id": None, "error": f"{line} " + "x" * 2000}

    table_of(Relations, records())
    # The texts take 16 MB in all.
    assert most < 8_000_000
