"""Full texts of open-access articles, read in windows; their folder is named by BIOGPT_DATA."""

import importlib
import json
import os
from pathlib import Path
from types import ModuleType

import pytest

from biogpt_onnx import BioGPT, corpus
from biogpt_onnx.corpus import CorpusSettings
from biogpt_onnx.tasks import Reading
from makers.corpora import answer_run, write_json_lines

ROOT = Path(__file__).parents[2]
FILE = Path(os.environ.get("BIOGPT_DATA", "")) / "text" / "fulltext_ccby.jsonl.gz"
WINDOWS = CorpusSettings(Reading("windows"))

pytestmark = [
    pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="runs in the checkout only"),
    pytest.mark.skipif(not FILE.is_file(), reason="BIOGPT_DATA names no folder with text/fulltext_ccby.jsonl.gz"),
]


@pytest.fixture
def full_texts() -> ModuleType:
    return importlib.import_module("benchmarks.corpus.full_texts")


def test_all_of_them_are_prepared_without_an_error(tmp_path: Path, full_texts: ModuleType) -> None:
    source = write_json_lines(tmp_path / "in.jsonl", list(full_texts.full_texts(FILE)))
    made = corpus.prepare([source], tmp_path / "run", "bc5cdr", settings=WINDOWS, unit_documents=20)
    assert (made.documents, made.problems, made.superseded, made.units) == (681, 0, 0, 35)


def test_one_that_no_prompt_has_room_for_is_answered_in_windows(
    tmp_path: Path, full_texts: ModuleType, mini: BioGPT
) -> None:
    long = next(row for row in full_texts.full_texts(FILE) if 7000 < len(row["text"]) < 9000)
    source = write_json_lines(tmp_path / "in.jsonl", [long, {"id": "empty", "text": " "}])
    answers = {}
    for name, settings in (("whole", CorpusSettings()), ("windows", WINDOWS)):
        run, output = tmp_path / name, tmp_path / f"{name}.jsonl"
        corpus.prepare([source], run, "bc5cdr", settings=settings)
        answer_run(run, mini)
        report = corpus.merge(run, output)
        answers[name] = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
        assert report.errors == sum("error" in record for record in answers[name])
    first, second = answers["windows"]
    assert first["read"] >= len(long["text"])
    assert "error" not in first
    assert second["error"] == "the text is empty: give a text"
    assert "tokens" in answers["whole"][0]["error"]
    assert corpus.status(tmp_path / "whole").num_errors == 2
