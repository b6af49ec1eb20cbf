import errno
import gzip
import hashlib
import json
import os
import re
import sqlite3
import sys
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx import BioGptError, ConfigError, DocumentError, corpus
from biogpt_onnx.corpus.preparing import reading
from biogpt_onnx.corpus.preparing.cutting import cut
from biogpt_onnx.corpus.preparing.newest import NewestVersions
from biogpt_onnx.corpus.run import Run
from biogpt_onnx.corpus.units import UnitRow, read_unit
from biogpt_onnx.files.rows import Passage
from biogpt_onnx.files.text.columns import Columns
from biogpt_onnx.runtime.bundle import hash_file
from biogpt_onnx.tasks import Document, NamedEntity
from makers.corpora import documents, write_json_lines

CITATION = (
    '<PubmedArticle><MedlineCitation><PMID Version="{version}">{pmid}</PMID><Article><ArticleTitle>{title}'
    "</ArticleTitle></Article></MedlineCitation></PubmedArticle>"
)


def rows_of(folder: Path) -> list[UnitRow]:
    run = Run.open(folder)
    return [row for unit in run.units for row in read_unit(run, unit)]


def ids_of(folder: Path) -> list[str | None]:
    return [None if each.row.document is None else each.row.document.id for each in rows_of(folder)]


def described(folder: Path) -> Any:
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


def pubmed(path: Path, *content: str) -> Path:
    text = f"<PubmedArticleSet>{''.join(content)}</PubmedArticleSet>"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def citation(pmid: str, title: str, version: int = 1) -> str:
    return CITATION.format(pmid=pmid, title=title, version=version)


def deletion(*pmids: str) -> str:
    return "<DeleteCitation>" + "".join(f'<PMID Version="1">{pmid}</PMID>' for pmid in pmids) + "</DeleteCitation>"


def test_documents_stay_in_the_order_of_the_files_with_their_places(tmp_path: Path) -> None:
    first = write_json_lines(tmp_path / "b.jsonl", documents(5))
    second = tmp_path / "a.jsonl.gz"
    second.write_bytes(gzip.compress(b'{"id": "x", "text": "Haloperidol."}\n{"text": " "}\n'))
    made = corpus.prepare([first, second], tmp_path / "run", "bc5cdr", unit_documents=2)
    assert (made.documents, made.problems, made.inputs) == (7, 1, 2)
    rows = rows_of(tmp_path / "run")
    assert [row.number for row in rows] == list(range(1, 8))
    assert [(row.input, row.row.line) for row in rows] == [(0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (1, 1), (1, 2)]
    assert rows[-1].row.problem == "the text is empty: give a text"
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == sorted(
        [
            *("claims", "results", "run.json", "set-aside", "tries", "units", "units.jsonl"),
        ]
    )


def test_a_document_in_a_unit_is_the_one_that_was_read(tmp_path: Path) -> None:
    source = tmp_path / "in.pubtator"
    source.write_text("7|t|Lithium\u2028.\n7|a|It caused\x85 tremor.\n7\t0\t7\tLithium\tChemical\tD008094\n\n")
    corpus.prepare([source], tmp_path / "run", "bc5cdr")
    (found,) = rows_of(tmp_path / "run")
    assert found.row.document == Document(
        "It caused\x85 tremor.",
        "7",
        "Lithium\u2028.",
        entities=(NamedEntity("Lithium", "Chemical", ((0, 7),), "D008094"),),
    )
    bioc = tmp_path / "in.json"
    bioc.write_text(json.dumps({"documents": [{"id": "8", "passages": [{"offset": 3, "text": "Lithium."}]}]}))
    corpus.prepare([bioc], tmp_path / "other", "bc5cdr")
    (found,) = rows_of(tmp_path / "other")
    assert found.row.passages == (Passage("", 3, 0, 8),)
    assert found.row.document == Document("Lithium.", "8")


def test_of_documents_with_one_id_the_last_counts(tmp_path: Path) -> None:
    rows: list[Mapping[str, object]] = [
        *documents(3),
        {"id": "d1", "text": "Newer."},
        {"text": "No id."},
        {"text": "No id."},
    ]
    source = write_json_lines(tmp_path / "in.jsonl", rows)
    made = corpus.prepare([source], tmp_path / "run", "bc5cdr")
    assert (made.documents, made.superseded) == (5, 1)
    assert ids_of(tmp_path / "run") == ["d0", "d2", "d1", None, None]
    assert described(tmp_path / "run")["dropped"] == {"superseded": 1, "deleted": 0}
    kept = corpus.prepare([source], tmp_path / "all", "bc5cdr", keep_duplicates=True)
    assert (kept.documents, kept.superseded) == (6, 0)


def test_pubmed_counts_the_newest_version_and_heeds_deletions(tmp_path: Path) -> None:
    pytest.importorskip("lxml")
    pubmed(
        tmp_path / "pubmed01.xml.gz",
        *(citation(pmid, "Old.") for pmid in "12345"),
        citation("6", "Second version.", 2),
    )
    pubmed(
        tmp_path / "pubmed02.xml.gz",
        citation("2", "New."),
        citation("6", "First version.", 1),
        deletion("3", "4", "99"),
        citation("4", "Back."),
    )
    digest = hashlib.md5((tmp_path / "pubmed01.xml.gz").read_bytes(), usedforsecurity=False).hexdigest()
    (tmp_path / "pubmed01.xml.gz.md5").write_text(f"MD5(pubmed01.xml.gz)= {digest}\n")
    made = corpus.prepare([tmp_path], tmp_path.parent / f"{tmp_path.name}-run", "bc5cdr")
    found = [row.row.document for row in rows_of(made.run)]
    assert [(each.id, each.text) for each in found if each is not None] == [
        ("1", "Old."),
        ("5", "Old."),
        ("6", "Second version."),
        ("2", "New."),
        ("4", "Back."),
    ]
    assert (made.superseded, made.deleted) == (2, 2)
    assert (made.compared, made.skipped) == (1, ())


def test_a_newer_version_that_is_no_document_replaces_one_that_is(tmp_path: Path) -> None:
    pytest.importorskip("lxml")
    source = pubmed(tmp_path / "in.xml", citation("1", "Old."), citation("1", ""))
    corpus.prepare([source], tmp_path / "run", "bc5cdr")
    (row,) = rows_of(tmp_path / "run")
    assert row.row.problem is not None


def test_a_deletion_removes_only_the_version_that_it_names(tmp_path: Path) -> None:
    pytest.importorskip("lxml")
    source = pubmed(tmp_path / "in.xml", citation("1", "First.", 1), citation("1", "Second.", 2), deletion("1"))
    made = corpus.prepare([source], tmp_path / "run", "bc5cdr")
    (row,) = rows_of(tmp_path / "run")
    assert row.row.document == Document("Second.", "1")
    assert made.deleted == 1


def test_units_hold_about_the_same_number_of_characters() -> None:
    sizes = [1 + (place * 37) % 50 for place in range(1000)]
    lines = [(str(place), size) for place, size in enumerate(sizes)]
    units = list(cut(lines, 1000, sum(sizes), 100))
    assert [line for unit in units for line in unit] == lines
    assert len(units) == 10
    totals = [sum(size for _, size in unit) for unit in units]
    assert max(totals) - min(totals) <= 2 * max(sizes)


@pytest.mark.parametrize("sizes", [[1], [1000, 1, 1, 1], [1, 1, 1, 1000], [1, 1000, 1], [5] * 7])
@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_no_unit_is_empty_and_no_document_is_lost(sizes: list[int], most: int) -> None:
    lines = [(str(place), size) for place, size in enumerate(sizes)]
    units = list(cut(lines, len(sizes), sum(sizes), most))
    assert [line for unit in units for line in unit] == lines
    assert all(units)
    assert len(units) <= -(-len(sizes) // most)


def test_names_folders_and_patterns(tmp_path: Path) -> None:
    below = tmp_path / "in" / "below"
    below.mkdir(parents=True)
    for name, text in (("in/2.txt", "Two."), ("in/1.txt", "One."), ("in/below/3.txt", "Three."), ("in/.4.txt", "No.")):
        (tmp_path / name).write_text(f"{text}\n")
    (tmp_path / "in" / "notes.md").write_text("no format\n")

    def texts(*names: str, to: str) -> list[str]:
        corpus.prepare([str(tmp_path / name) for name in names], tmp_path / to, "bc5cdr")
        return [row.row.document.text for row in rows_of(tmp_path / to) if row.row.document is not None]

    assert texts("in", to="folder") == ["One.", "Two.", "Three."]
    assert texts("in/*.txt", to="pattern") == ["One.", "Two."]
    assert texts("in/**/*.txt", to="deep") == ["One.", "Two.", "Three."]
    assert texts("in/2.txt", "in", to="twice") == ["Two.", "One.", "Three."]


def test_the_description_names_all_that_determines_the_results(tmp_path: Path) -> None:
    source = write_json_lines(tmp_path / "in.jsonl", documents(2))
    settings = corpus.CorpusSettings(min_score=0.25, question="Why?")
    corpus.prepare([source], tmp_path / "run", "bc5cdr", settings=settings)
    found = described(tmp_path / "run")
    assert found["settings"]["min_score"] == 0.25
    assert found["task"]["identity"]["min_score"] == "0.25"
    assert found["inputs"][0]["name"] == str(source)
    assert re.fullmatch("[0-9a-f]{64}", found["inputs"][0]["sha256"])
    opened = Run.open(tmp_path / "run")
    assert opened.settings == settings
    assert opened.task().name == "bc5cdr"


def test_a_task_from_a_file_is_kept_with_the_run(tmp_path: Path) -> None:
    source = write_json_lines(tmp_path / "in.jsonl", documents(2))
    definition = tmp_path / "own.toml"
    definition.write_text('kind = "relations"\nname = "own"\nstatement = "the {relation} of {head} is {tail}"\n')
    corpus.prepare([source], tmp_path / "run", definition)
    definition.unlink()
    assert Run.open(tmp_path / "run").task().name == "own"
    (tmp_path / "run" / "task.toml").write_text('kind = "relations"\nname = "other"\n')
    with pytest.raises(DocumentError, match=r"task\.toml is not as it was prepared"):
        Run.open(tmp_path / "run").task()


def test_given_entities_are_read_where_there_is_a_place_for_them(tmp_path: Path) -> None:
    settings = corpus.CorpusSettings(given_entities=True)
    source = write_json_lines(tmp_path / "in.jsonl", [{"text": "Lithium.", "entities": ["Lithium"]}])
    corpus.prepare([source], tmp_path / "run", "bc5cdr", settings=settings)
    (row,) = rows_of(tmp_path / "run")
    assert row.row.document == Document("Lithium.", entities=(NamedEntity("Lithium"),))
    plain = tmp_path / "in.txt"
    plain.write_text("Lithium.\n")
    with pytest.raises(DocumentError, match="no place for named entities"):
        corpus.prepare([plain], tmp_path / "other", "bc5cdr", settings=settings)


def test_fields_have_the_names_that_are_given(tmp_path: Path) -> None:
    source = write_json_lines(tmp_path / "in.jsonl", [{"body": "Lithium.", "key": 5}])
    corpus.prepare([source], tmp_path / "run", "bc5cdr", columns=Columns(text="body", id="key"))
    (row,) = rows_of(tmp_path / "run")
    assert row.row.document == Document("Lithium.", "5")


def test_memory_does_not_grow_with_the_number_of_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Its buffer is as long as a short file.
    monkeypatch.setattr(reading, "hash_file", lambda _: "")

    def peak_of(number: int) -> int:
        source = tmp_path / f"{number}.jsonl"
        with source.open("w", encoding="utf-8") as stream:
            stream.writelines(json.dumps({"id": str(n), "text": "x" * 2000}) + "\n" for n in range(number))
        tracemalloc.start()
        try:
            corpus.prepare([source], tmp_path / str(number), "bc5cdr", unit_documents=100)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few = peak_of(500)
    # The other documents take 10 MB.
    assert peak_of(5500) < few + 1_000_000


BAD = {
    "nothing": (["missing.jsonl"], "there is no file or folder"),
    "no name": ([""], "an input has an empty name"),
    "no match": (["*.xml"], "no file matches"),
    "empty folder": (["empty"], "the folder .* holds no file"),
    "no format": (["other"], "holds no file of a known format"),
    "mixed": (["in.jsonl", "in.txt"], "is jsonl and .* is text: prepare a run for each format"),
    "standard input": (["-"], "not from standard input"),
    "empty file": (["empty.jsonl"], "the inputs hold no document"),
    "truncated": (["cut.jsonl.gz"], "truncated gzip file"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.md").write_text("x")
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "in.txt").write_text("Lithium.\n")
    write_json_lines(tmp_path / "in.jsonl", documents(2))
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b'{"text": "Lithium."}\n' * 50)[:-9])
    before = sorted(tmp_path.rglob("*"))
    inputs, message = BAD[case]
    with pytest.raises(BioGptError, match=message):
        corpus.prepare(inputs, "run", "bc5cdr")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_json_lines(tmp_path / "in.jsonl", documents(2))
    digest = hash_file

    def changing(path: Path) -> str:
        found = digest(path)
        with path.open("a", encoding="utf-8") as stream:
            stream.write('{"text": "One more."}\n')
        return found

    monkeypatch.setattr(reading, "hash_file", changing)
    with pytest.raises(DocumentError, match="changed while it was read"):
        corpus.prepare([source], tmp_path / "run", "bc5cdr")
    assert not (tmp_path / "run").exists()


def test_a_full_disk_leaves_nothing_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_json_lines(tmp_path / "in.jsonl", documents(9))
    left = 3

    def full(_: int) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BioGptError, match=r"run cannot be written .No space left on device.; nothing is left of it"):
        corpus.prepare([source], tmp_path / "run", "bc5cdr", unit_documents=2)
    assert list(tmp_path.iterdir()) == [source]


def test_so_does_one_that_is_full_while_ids_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_json_lines(tmp_path / "in.jsonl", documents(9))

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(NewestVersions, "add", full)
    with pytest.raises(DocumentError, match=r"cannot be written .database or disk is full."):
        corpus.prepare([source], tmp_path / "run", "bc5cdr")
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such names")
def test_names_that_are_not_utf_8_are_kept_with_escapes(tmp_path: Path) -> None:
    source = write_json_lines(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jsonl")), documents(2))
    corpus.prepare([source], tmp_path / "run", "bc5cdr")
    assert described(tmp_path / "run")["inputs"][0]["name"] == rf"{tmp_path}/caf\xe9.jsonl"


def test_a_run_is_not_replaced_and_does_not_lie_in_its_input(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_json_lines(tmp_path / "in" / "in.jsonl", documents(2))
    corpus.prepare([tmp_path / "in"], tmp_path / "run", "bc5cdr")
    before = (tmp_path / "run" / "run.json").read_bytes()
    with pytest.raises(DocumentError, match="is there already"):
        corpus.prepare([tmp_path / "in"], tmp_path / "run", "bc5cdr")
    assert (tmp_path / "run" / "run.json").read_bytes() == before
    with pytest.raises(DocumentError, match="would lie in"):
        corpus.prepare([tmp_path / "in"], tmp_path / "in" / "run", "bc5cdr")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unit_documents": 0}, "unit_documents is 0"),
        ({"file_format": "word"}, "file_format is 'word'"),
        ({"settings": corpus.CorpusSettings(min_score=2)}, "min_score"),
    ],
)
def test_bad_settings(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    source = write_json_lines(tmp_path / "in.jsonl", documents(2))
    with pytest.raises(ConfigError, match=message):
        corpus.prepare([source], tmp_path / "run", "bc5cdr", **settings)


def test_settings_that_contradict_each_other_or_the_task(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="choose one"):
        corpus.CorpusSettings(free=True, given_entities=True)
    source = write_json_lines(tmp_path / "in.jsonl", documents(2))
    with pytest.raises(ConfigError, match="allow_self_relations is no setting of hoc"):
        corpus.prepare([source], tmp_path / "run", "hoc", settings=corpus.CorpusSettings(allow_self_relations=True))
