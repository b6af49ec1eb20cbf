import errno
import gzip
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from biogpt_onnx import BioGPT, ConfigError, DocumentError, corpus
from biogpt_onnx.cli import main
from biogpt_onnx.corpus.run import Run
from biogpt_onnx.corpus.working.claims import Claims
from biogpt_onnx.files.lexicon import Lexicon
from makers.corpora import answer_run, documents, worker_of, write_json_lines

Merged = Callable[[Path], bytes]

NO_WINDOWS: dict[str, object] = {"other_spans": None}


def answer_some(run: Path, mini: BioGPT, number: int) -> None:
    worker_of(run, mini).work(Run.open(run).units[:number])


def test_the_status_counts_units_and_documents(run: Path, mini: BioGPT) -> None:
    found = corpus.status(run)
    assert (found.units, found.documents, found.done, found.waiting) == (6, 24, 0, 6)
    assert (found.documents_a_minute, found.hours_left) == (None, None)
    answer_some(run, mini, 2)
    opened = Run.open(run)
    with Claims(opened).claimed(opened.units[3]):
        found = corpus.status(run)
    assert (found.done, found.running, found.waiting) == (2, 1, 3)
    assert found.done_documents == sum(unit.documents for unit in opened.units[:2])
    assert found.documents_a_minute is not None
    assert found.hours_left is not None
    answer_run(run, mini)
    found = corpus.status(run)
    assert found.is_complete
    assert (found.num_errors, found.hours_left) == (1, None)
    (kind,) = found.errors
    assert kind == "the text is empty: give a text"
    assert "Lithium" not in json.dumps(found.to_dict())


def test_the_status_changes_nothing(run: Path, mini: BioGPT) -> None:
    answer_some(run, mini, 2)

    def state() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}

    before = state()
    corpus.status(run)
    assert state() == before


def test_an_incomplete_run_is_not_merged_unless_that_is_asked_for(run: Path, mini: BioGPT, tmp_path: Path) -> None:
    answer_some(run, mini, 2)
    output = tmp_path / "out.jsonl"
    with pytest.raises(DocumentError, match="4 of 6 units have no results"):
        corpus.merge(run, output)
    assert not output.exists()
    report = corpus.merge(run, output, partial=True)
    assert (report.documents, report.missing_units) == (len(output.read_text().splitlines()), 4)
    assert report.documents + report.missing_documents == 24


def test_a_name_in_gz_is_compressed_and_equal_runs_give_equal_files(run: Path, mini: BioGPT, tmp_path: Path) -> None:
    answer_run(run, mini)
    for name in ("a.jsonl.gz", "b.jsonl.gz", "c.jsonl"):
        corpus.merge(run, tmp_path / name)
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()) == (tmp_path / "c.jsonl").read_bytes()


def test_pubtator_holds_the_documents_and_calls_those_without_an_id_by_their_numbers(
    mini: BioGPT, tmp_path: Path
) -> None:
    rows: list[Mapping[str, object]] = [
        *documents(2),
        {"text": "Lithium caused tremor."},
        {"id": "t", "title": "Ataxia.", "text": "Seen."},
    ]
    sources = [write_json_lines(tmp_path / f"{name}.jsonl", rows) for name in "ab"]
    corpus.prepare(sources, tmp_path / "run", "bc5cdr", keep_duplicates=True, unit_documents=3)
    answer_run(tmp_path / "run", mini)
    corpus.merge(tmp_path / "run", tmp_path / "out.pubtator", output_format="pubtator")
    text = (tmp_path / "out.pubtator").read_text(encoding="utf-8")
    titles = [line.split("|", 2) for line in text.splitlines() if "|t|" in line]
    assert [name for name, _, _ in titles] == ["d0", "d1", "3", "t", "d0", "d1", "7", "t"]
    assert titles[2][2] == "Lithium caused tremor."
    assert "t|a|Seen." in text


def test_concepts_come_from_a_lexicon(mini: BioGPT, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_json_lines(tmp_path / "in.jsonl", documents(2))
    corpus.prepare([source], tmp_path / "run", "bc5cdr")
    answer_run(tmp_path / "run", mini)
    lexicon, output = tmp_path / "lexicon.json", tmp_path / "out.pubtator"
    lexicon.write_text('{"LITHIUM": "D008094", "tremor": "D014202"}')
    words = ["corpus", "merge", str(tmp_path / "run"), "--lexicon", str(lexicon), "-o"]
    assert main([*words, str(output)]) == 0
    assert "d0\t0\t7\tLithium\tChemical\tD008094\n" in output.read_text(encoding="utf-8")
    capsys.readouterr()
    assert main([*words, str(tmp_path / "out.jsonl")]) == 2
    assert capsys.readouterr().err == (
        "error: --lexicon gives ids to PubTator and BioC, jsonl has none: leave it out\n"
    )
    with pytest.raises(ConfigError, match="a lexicon gives ids to PubTator and BioC, parquet has none"):
        corpus.merge(tmp_path / "run", tmp_path / "x", output_format="parquet", lexicon=Lexicon({"a": "b"}))


def test_parquet_holds_the_records_of_json_lines_and_is_the_same_however_often_it_is_written(
    run: Path, mini: BioGPT, tmp_path: Path
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    answer_run(run, mini)
    for name in ("a", "b"):
        report = corpus.merge(run, tmp_path / f"{name}.parquet", output_format="parquet")
        assert (report.documents, report.errors) == (24, 1)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    corpus.merge(run, tmp_path / "a.jsonl")
    records = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = parquet.read_table(tmp_path / "a.parquet").to_pylist()
    assert [{name: row[name] for name in record} for row, record in zip(rows, records, strict=True)] == [
        record if "error" in record else record | {"relations": [NO_WINDOWS | each for each in record["relations"]]}
        for record in records
    ]
    assert any(row["relations"] for row in rows)
    with pytest.raises(ConfigError, match="would be compressed twice"):
        corpus.merge(run, tmp_path / "a.parquet.gz", output_format="parquet")


def test_bioc_keeps_the_passages_of_its_documents(mini: BioGPT, tmp_path: Path) -> None:
    pytest.importorskip("bioc")
    source = tmp_path / "in.json"
    passages = [{"offset": 0, "infons": {"type": "intro"}, "text": "Lithium."}, {"offset": 90, "text": "It caused."}]
    source.write_text(json.dumps({"documents": [{"id": "8", "passages": passages}]}))
    corpus.prepare([source], tmp_path / "run", "bc5cdr")
    answer_run(tmp_path / "run", mini)
    corpus.merge(tmp_path / "run", tmp_path / "out.xml", output_format="bioc")
    text = (tmp_path / "out.xml").read_text(encoding="utf-8")
    assert "<offset>90</offset><text>It caused.</text>" in text
    assert text.endswith("</collection>\n")


def test_formats_of_relations_are_not_for_other_tasks(tmp_path: Path) -> None:
    source = write_json_lines(tmp_path / "in.jsonl", documents(2))
    corpus.prepare([source], tmp_path / "run", "hoc")
    with pytest.raises(ConfigError, match="pubtator is for relations, and hoc has none"):
        corpus.merge(tmp_path / "run", tmp_path / "out.pubtator", output_format="pubtator")


def damage_results(run: Path) -> str:
    path = run / "results" / "000002.jsonl"
    path.write_bytes(path.read_bytes().replace(b"tremor", b"TREMOR").replace(b"renal", b"RENAL"))
    return "is damaged"


def cut_results(run: Path) -> str:
    path = run / "results" / "000002.jsonl"
    path.write_bytes(path.read_bytes()[:20])
    return "is damaged"


def swap_results(run: Path) -> str:
    shutil.copy(run / "results" / "000001.jsonl", run / "results" / "000002.jsonl")
    return "holds results of another run or of other documents"


@pytest.mark.parametrize("change", [damage_results, cut_results, swap_results])
def test_results_that_were_changed_by_hand_are_found_and_made_again(
    run: Path, mini: BioGPT, expected: bytes, merged: Merged, change: Callable[[Path], str]
) -> None:
    answer_run(run, mini)
    message = change(run)
    with pytest.raises(DocumentError, match=message):
        merged(run)
    (run / "results" / "000002.jsonl").unlink()
    answer_run(run, mini)
    assert merged(run) == expected


def test_damaged_results_stand_in_the_status(run: Path, mini: BioGPT) -> None:
    answer_run(run, mini)
    swap_results(run)
    found = corpus.status(run)
    assert (found.done, found.is_complete) == (5, False)
    assert "000002.jsonl holds results of another run" in found.damaged[0]


def test_results_of_another_run_are_not_merged(make_run: Callable[..., Path], mini: BioGPT, merged: Merged) -> None:
    first = make_run("first")
    second = make_run("second", settings=corpus.CorpusSettings(min_score=0.9))
    answer_run(first, mini)
    answer_run(second, mini)
    shutil.copy(first / "results" / "000000.jsonl", second / "results" / "000000.jsonl")
    with pytest.raises(DocumentError, match="holds results of another run"):
        merged(second)


def test_a_full_disk_leaves_the_file_that_was_there(
    run: Path, mini: BioGPT, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    answer_run(run, mini)
    output = tmp_path / "out.jsonl"
    output.write_text("before\n")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DocumentError, match=r"out.jsonl cannot be written .No space left on device.: see to it"):
        corpus.merge(run, output, overwrite=True)
    assert output.read_text() == "before\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["documents.jsonl", "out.jsonl", "run"]


def test_an_output_is_not_replaced_unless_that_is_asked_for_and_lies_not_in_the_run(run: Path, tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").write_text("before\n")
    with pytest.raises(DocumentError, match="is there already"):
        corpus.merge(run, tmp_path / "out.jsonl")
    with pytest.raises(DocumentError, match="would lie in the run"):
        corpus.merge(run, run / "out.jsonl")
    with pytest.raises(ConfigError, match="output_format is 'csv'"):
        corpus.merge(run, tmp_path / "out.csv", output_format="csv")  # type: ignore[arg-type] # on purpose


def edited(run: Path, **values: object) -> None:
    path = run / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"version": 2, "package": "9.0"}, "is a run of version 2, .* install biogpt-onnx 9.0 or later"),
        ({"version": "x"}, "is not as it was prepared"),
        ({"format": "other"}, "describes no corpus run"),
        ({"units_sha256": "0"}, "units.jsonl is not as it was prepared"),
    ],
)
def test_descriptions_that_cannot_be_read(run: Path, values: dict[str, object], message: str) -> None:
    edited(run, **values)
    with pytest.raises(DocumentError, match=message):
        corpus.status(run)


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="there is no folder"):
        corpus.status(tmp_path / "missing")
    with pytest.raises(DocumentError, match="is no corpus run"):
        corpus.merge(tmp_path, tmp_path / "out.jsonl")
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(DocumentError, match="is not as it was prepared"):
        corpus.work(tmp_path, "bundle")


def test_a_task_that_this_version_defines_otherwise_is_refused(run: Path) -> None:
    description = json.loads((run / "run.json").read_text(encoding="utf-8"))
    description["task"]["identity"]["statement"] = "'another one'"
    edited(run, task=description["task"])
    with pytest.raises(ConfigError, match=r"differs from the one that .* was prepared for \(statement\)"):
        Run.open(run).task()


def test_settings_that_were_damaged(run: Path) -> None:
    edited(run, settings={"reading": {"too_long": "maybe"}})
    with pytest.raises(DocumentError, match="is not as it was prepared"):
        Run.open(run).task()
