"""Committed runs, from which all tables are made."""

import json
from pathlib import Path
from typing import Any

from benchmarks.processes import CHECKOUT
from biogpt_onnx.bench.rows import read_rows

RESULTS = CHECKOUT / "benchmarks" / "results"

Run = dict[str, Any]


def read_run(name: str) -> Run:
    """Reads a committed run by its file's name; JSON lines are returned as `{"rows": [...]}`."""
    if name.endswith(".jsonl"):
        return {"rows": read_rows(RESULTS / name)}
    run: Run = json.loads(path_of(name).read_text(encoding="utf-8"))
    return run


def path_of(name: str) -> Path:
    """Returns the path of a committed run, which need not be there."""
    return RESULTS / name


def processor(run: Run) -> str:
    """Returns the name of the processor that a run, or a row or section of it, was made on, with what it can do."""
    machine = run["machine"]
    return f"{machine['cpu']} ({', '.join(machine['instruction_sets'])})"
