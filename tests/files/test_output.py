"""From a file to a file, whatever happens in between."""

import io
import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pytest

from biogpt_onnx.files.annotations import RelationSchema
from biogpt_onnx.files.bioc.xml_writer import BioC
from biogpt_onnx.files.journal import journal
from biogpt_onnx.files.journal.journal import SUFFIX
from biogpt_onnx.files.output import open_results
from biogpt_onnx.files.pubtator.writer import PubTator
from biogpt_onnx.files.reading import read_documents
from biogpt_onnx.files.records import OutputFormat
from biogpt_onnx.files.rows import Row
from biogpt_onnx.files.text.json_lines import JsonLines
from biogpt_onnx.files.vectors import Vectors
from biogpt_onnx.runtime.bulk.answering import Work, answer_all
from biogpt_onnx.runtime.bulk.batches import BatchLimits, Size
from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.runtime.system import kind
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.results import Relations
from makers.documents import relation, relations, save

CID = RelationSchema("CID", "Chemical", "Disease")
FORMATS: dict[str, OutputFormat] = {"jsonl": JsonLines(), "pubtator": PubTator(CID), "bioc": BioC(CID)}
ROWS = [
    '{"id": 1, "title": "T", "text": "drug a caused pain"}',
    "{",
    *(f'{{"id": {number}, "text": "drug {"b" * number} caused fever"}}' for number in range(3, 12)),
]


class Model:
    def __init__(self, fail_behind: int = 10**9) -> None:
        self.asked: list[str | None] = []
        self._fail_behind = fail_behind

    def __call__(self, batch: Sequence[Document]) -> list[Relations]:
        if len(self.asked) >= self._fail_behind:
            raise KeyboardInterrupt
        self.asked += [document.id for document in batch]
        return [relations(relation(document, "drug", document.text.split()[-1])) for document in batch]


def document_of(_: int, row: Row) -> Document:
    if row.document is None:
        raise DocumentError(str(row.problem))
    return row.document


def run(source: Path, output: Path | None, output_format: OutputFormat, model: Model) -> None:
    with open_results(output, output_format, {"input": "a"}) as results:
        items = read_documents(source)
        results.skip_done(items)
        work = Work(document_of, size=lambda _: Size(1, 1), answer=model, limits=BatchLimits(1, 10**6))
        answered = answer_all(work, items, lambda _, __, error: error)
        while block := list(islice(answered, 3)):
            results.add([(outcome.item, outcome.result) for outcome in block])
        results.finish()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return save(tmp_path / "in", "a.jsonl", "\n".join(ROWS))


@pytest.mark.parametrize("name", FORMATS)
def test_a_run_interrupted_anywhere_gives_the_same_file_and_asks_little_twice(
    tmp_path: Path, source: Path, name: str
) -> None:
    whole, output = tmp_path / "whole", tmp_path / "results"
    run(source, whole, FORMATS[name], Model())
    for fail_behind in range(0, 10, 2):
        model = Model(fail_behind)
        with pytest.raises(KeyboardInterrupt):
            run(source, output, FORMATS[name], model)
        assert not output.exists()
        again = Model()
        run(source, output, FORMATS[name], again)
        assert output.read_bytes() == whole.read_bytes()
        # What is asked twice is what a window had answered that was not whole.
        assert len(set(model.asked) & set(again.asked)) <= 6
        assert {*model.asked, *again.asked} == {"1", *map(str, range(3, 12))}
        output.unlink()


@pytest.mark.parametrize("name", FORMATS)
def test_standard_output_has_what_the_file_has(
    tmp_path: Path, source: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(source, tmp_path / "whole", FORMATS[name], Model())
    run(source, None, FORMATS[name], Model())
    assert capsys.readouterr().out.encode() == (tmp_path / "whole").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "whole"]


def test_every_row_has_a_line_with_its_number(tmp_path: Path, source: Path) -> None:
    run(source, tmp_path / "a", JsonLines(), Model())
    records = [json.loads(line) for line in (tmp_path / "a").read_text().splitlines()]
    assert [record["line"] for record in records] == list(range(1, len(ROWS) + 1))
    assert [record["id"] for record in records] == ["1", None, *map(str, range(3, 12))]
    assert "no JSON" in records[1]["error"]


def test_results_stream_as_they_come(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(source, None, JsonLines(), Model(fail_behind=4))
    assert 0 < capsys.readouterr().out.count("\n") < len(ROWS)


def test_standard_output_is_utf_8_whatever_the_terminal_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="latin-1", newline="\r\n"))
    path = save(tmp_path, "a.txt", "α-tocopherol caused 発熱\n")
    run(path, None, JsonLines(), Model())
    assert json.loads(raw.getvalue().decode())["relations"][0]["tail"] == "発熱"
    assert b"\r" not in raw.getvalue()


def test_another_form_of_output_is_another_run(tmp_path: Path, source: Path) -> None:
    output = tmp_path / "results"
    with pytest.raises(KeyboardInterrupt):
        run(source, output, JsonLines(), Model(fail_behind=4))
    with pytest.raises(DocumentError, match=r"output JsonLines \(it is PubTator now\)"):
        run(source, output, PubTator(CID), Model())
    assert output.with_name(output.name + SUFFIX).exists()


def test_results_are_not_continued_for_other_rows(tmp_path: Path, source: Path) -> None:
    output = tmp_path / "results"
    with pytest.raises(KeyboardInterrupt):
        run(source, output, JsonLines(), Model(fail_behind=4))
    kept = output.with_name(output.name + SUFFIX).read_bytes()
    other = save(tmp_path, "other.jsonl", "\n" + "\n".join(ROWS))
    with pytest.raises(DocumentError, match=r"they have line 1 where the input has line 2 there: say --restart"):
        run(other, output, JsonLines(), Model())
    short = save(tmp_path, "short.jsonl", ROWS[0])
    with pytest.raises(DocumentError, match="they have line 2 where the input ends before it"):
        run(short, output, JsonLines(), Model())
    assert output.with_name(output.name + SUFFIX).read_bytes() == kept


@pytest.mark.parametrize("written", ["in/a.jsonl", "link", "journal"])
def test_an_input_is_never_replaced(tmp_path: Path, source: Path, written: str) -> None:
    (tmp_path / "link").symlink_to(source)
    output = tmp_path / written
    read = source
    if written == "journal":
        # Without a line's end a file of this name could pass for a journal that a crash has cut.
        read = save(tmp_path, "journal" + SUFFIX, '{"text": "X"}')
    before = read.read_bytes()
    with (
        pytest.raises(DocumentError, match=r"would replace .*, which is read: name another file"),
        open_results(output, JsonLines(), {}, inputs=[read], overwrite=True, restart=True),
    ):
        pass
    assert read.read_bytes() == before


def test_nothing_is_written_into_a_folder_that_is_read(tmp_path: Path) -> None:
    with (
        pytest.raises(DocumentError, match="lies in"),
        open_results(tmp_path / "a", JsonLines(), {}, inputs=[tmp_path]),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_input_that_is_gone_is_replaced_by_nothing_and_tables_of_bytes_need_a_file(tmp_path: Path) -> None:
    with open_results(tmp_path / "a", JsonLines(), {}, inputs=[tmp_path / "gone"]) as results:
        results.finish()
    assert (tmp_path / "a").read_text(encoding="utf-8") == ""
    with (
        pytest.raises(DocumentError, match="a binary form of results is written to a file only: name one"),
        open_results(None, Vectors(2), {}),
    ):
        pass


def test_two_inputs_are_both_kept(tmp_path: Path, source: Path) -> None:
    other = save(tmp_path, "b.jsonl", "")
    with (
        pytest.raises(DocumentError, match="would replace"),
        open_results(source, JsonLines(), {}, inputs=[other, source], overwrite=True),
    ):
        pass
    assert source.stat().st_size > 0


def test_a_run_that_keeps_a_part_answers_the_rest_again(tmp_path: Path, source: Path) -> None:
    whole, output = tmp_path / "whole", tmp_path / "results"
    run(source, whole, JsonLines(), Model())
    with pytest.raises(KeyboardInterrupt):
        run(source, output, JsonLines(), Model(fail_behind=6))
    with open_results(output, JsonLines(), {"input": "a"}) as results:
        assert (results.done > 3, results.failed) == (True, 1)
        results.keep(results.done)
        assert results.done > 3
        results.keep(3)
        # The second row is an error, which is kept.
        assert (results.done, results.failed) == (3, 1)
        results.keep(1)
        assert (results.done, results.failed) == (1, 0)
    again = Model()
    run(source, output, JsonLines(), again)
    assert again.asked == [*map(str, range(3, 12))]
    assert output.read_bytes() == whole.read_bytes()


def test_a_run_that_keeps_nothing_leaves_no_journal(tmp_path: Path, source: Path) -> None:
    output = tmp_path / "results"
    with pytest.raises(KeyboardInterrupt):
        run(source, output, JsonLines(), Model(fail_behind=6))
    with open_results(output, JsonLines(), {"input": "a"}) as results:
        results.keep(0)
        results.add([])
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_standard_output_keeps_and_skips_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    rows = iter([Row(1, Document("Lithium caused tremor."))])
    with open_results(None, JsonLines(), {}) as results:
        results.keep(0)
        results.skip_done(rows)
        assert next(rows).line == 1
        assert (results.done, results.failed, results.journal) == (0, 0, None)
        results.finish()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["results.jsonl:x", "nul.jsonl"])
def test_a_name_that_windows_writes_elsewhere_is_refused_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(kind, "NAME", kind.WINDOWS)
    with (
        pytest.raises(DocumentError, match=r"cannot be written, as it .*: name another file"),
        open_results(tmp_path / name, JsonLines(), {}),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_journal_is_removed_where_only_closed_files_can_be(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "can_remove_open_files", lambda: False)
    run(source, tmp_path / "results", JsonLines(), Model())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "results"]
