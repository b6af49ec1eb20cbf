"""Files in PubMed's form with the traps of the real ones are read as they should be."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from biogpt_onnx import DocumentError, corpus
from biogpt_onnx.corpus.run import Run
from biogpt_onnx.corpus.units import read_unit

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="runs in the checkout only")


@pytest.fixture
def pubmed_files() -> ModuleType:
    pytest.importorskip("lxml")
    return importlib.import_module("benchmarks.corpus.pubmed_files")


def test_all_traps_are_read_as_they_should_be(tmp_path: Path, pubmed_files: ModuleType) -> None:
    source = tmp_path / "pubmed"
    source.mkdir()
    expected = pubmed_files.write_pubmed(source, files=3, articles=400)
    made = corpus.prepare([source], tmp_path / "run", "bc5cdr", unit_documents=100)
    assert (made.documents, made.problems) == (expected.documents, expected.errors)
    assert (made.superseded, made.deleted) == (expected.superseded, expected.deleted)
    assert min(expected.errors, expected.superseded, expected.deleted) > 0
    assert (made.compared, made.skipped) == (3, ())
    run = Run.open(made.run)
    found = [row.row.document for unit in run.units for row in read_unit(run, unit)]
    texts = [("", "") if each is None else (each.title, each.text) for each in found]
    assert texts == list(expected.texts.values())
    named = [each.id for each in found if each is not None]
    assert named == [name for name, text in expected.texts.items() if any(text)]
    markup = "".join(text for _, text in texts)
    assert "CO2" in markup
    assert "METHODS: " in markup
    assert not any(mark in markup for mark in ("<sub>", "UNLABELLED", "Nada", "Copyright", "\n"))


def test_a_damaged_download_is_refused_before_anything_is_read(tmp_path: Path, pubmed_files: ModuleType) -> None:
    source = tmp_path / "pubmed"
    source.mkdir()
    pubmed_files.write_pubmed(source, files=2, articles=20)
    path = source / "pubmed25n0002.xml.gz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DocumentError, match=r"pubmed25n0002.xml.gz is damaged, as .*md5 has the checksum of another"):
        corpus.prepare([source], tmp_path / "run", "bc5cdr")
    path.with_name(f"{path.name}.md5").unlink()
    with pytest.raises(DocumentError, match="truncated gzip file"):
        corpus.prepare([source], tmp_path / "run", "bc5cdr")
    assert not (tmp_path / "run").exists()


def test_the_same_seed_gives_the_same_files(tmp_path: Path, pubmed_files: ModuleType) -> None:
    contents = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        pubmed_files.write_pubmed(tmp_path / name, files=2, articles=30)
        contents.append([path.read_bytes() for path in sorted((tmp_path / name).iterdir())])
    assert contents[0] == contents[1]
