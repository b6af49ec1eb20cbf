"""JSON files that hold what a measurement found."""

import argparse
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import describe
from biogpt_onnx.bench.rows import check_writable
from biogpt_onnx.runtime.errors import ConfigError


def output_file(name: str) -> Path:
    """Reads the argument that names the file of the results, as a `type` of argparse.

    Raises:
        argparse.ArgumentTypeError: the file cannot be written; said before anything is measured, which may take hours.
    """
    path = Path(name)
    try:
        check_writable(path)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return path


def stamp() -> dict[str, object]:
    """Returns when and on which machine a measurement starts."""
    return {"started": datetime.now(UTC).isoformat(timespec="seconds"), "machine": describe()}


def write_results(path: Path, results: Mapping[str, object]) -> None:
    """Writes results as indented JSON; the file holds what it held before, or these, whole."""
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def summarized(section: object) -> str:
    """Returns a section as JSON to be printed, without its samples."""
    return json.dumps(_without_samples(section), indent=2)


def _without_samples(section: object) -> object:
    if not isinstance(section, dict):
        return section
    return {name: _without_samples(value) for name, value in section.items() if name != "samples"}
