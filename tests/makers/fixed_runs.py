"""Corpus runs of the documents of the fixed requests."""

import json
from pathlib import Path
from typing import Any

from biogpt_onnx import corpus
from makers.corpora import write_json_lines
from makers.fixed_requests import REQUESTS, answer_of_record


def documents_of(task: str) -> dict[str, dict[str, str]]:
    """Returns the documents of a task by the names of their requests."""
    return {request["name"]: request["document"] for request in REQUESTS if request.get("task") == task}


def prepared(task: str, folder: Path) -> Path:
    """Makes a run of the documents of a task, a unit for each."""
    source = write_json_lines(folder / f"{task}.jsonl", list(documents_of(task).values()))
    corpus.prepare([source], folder / task, task, unit_documents=1)
    return folder / task


def merged_answers(run: Path, task: str) -> dict[str, Any]:
    """Merges a run that is done, and returns its answers by the names of their requests."""
    output = run.with_suffix(".out.jsonl")
    corpus.merge(run, output)
    records = map(json.loads, output.read_text(encoding="utf-8").splitlines())
    return dict(zip(documents_of(task), map(answer_of_record, records), strict=True))
