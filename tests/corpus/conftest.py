from collections.abc import Callable
from pathlib import Path

import pytest

from biogpt_onnx import BioGPT, corpus
from makers.corpora import answer_run, documents, write_json_lines

MakeRun = Callable[..., Path]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Makes a run of 24 documents in units of about 4, one document of them bad, with other settings if need be."""

    def make(name: str = "run", **settings: object) -> Path:
        source = tmp_path / "documents.jsonl"
        if not source.exists():
            write_json_lines(source, documents(23, id="bad", text=" "))
        given = {"unit_documents": 4, **settings}
        corpus.prepare([source], tmp_path / name, "bc5cdr", **given)  # type: ignore[arg-type] # by name
        return tmp_path / name

    return make


@pytest.fixture
def run(make_run: MakeRun) -> Path:
    return make_run()


@pytest.fixture
def expected(make_run: MakeRun, mini: BioGPT, tmp_path: Path) -> bytes:
    """The merged file of the run, where one process answered it without a fault."""
    folder = make_run("undisturbed")
    answer_run(folder, mini)
    corpus.merge(folder, tmp_path / "undisturbed.jsonl")
    return (tmp_path / "undisturbed.jsonl").read_bytes()


@pytest.fixture
def merged(tmp_path: Path) -> Callable[[Path], bytes]:
    """Merges a run and returns the file."""

    def merge(folder: Path) -> bytes:
        corpus.merge(folder, tmp_path / "merged.jsonl", overwrite=True)
        return (tmp_path / "merged.jsonl").read_bytes()

    return merge
