"""The command `corpus status`: what of a run is done."""

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import Any

from biogpt_onnx.cli.arguments.names import non_empty_path
from biogpt_onnx.corpus import RunStatus, status
from biogpt_onnx.corpus.working.tally import aside_in_words


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("run_folder", type=non_empty_path, metavar="RUN", help="a folder that `corpus prepare` made")
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(options: argparse.Namespace) -> int:
    """Runs the command."""
    found = status(options.run_folder)
    print(json.dumps(found.to_dict(), ensure_ascii=False) if options.json else "\n".join(_lines(found)))
    return 0


def _lines(found: RunStatus) -> Iterator[str]:
    yield f"task: {found.task}"
    yield f"units: {found.units:,}, of which {found.done:,} done, {found.running:,} running, {found.waiting:,} waiting"
    yield f"documents: {found.documents:,}, of which {found.done_documents:,} done"
    if found.documents_a_minute is not None and not found.is_complete:
        yield f"speed: {found.documents_a_minute:,.0f} documents a minute and process"
    if found.hours_left is not None:
        yield f"left: about {found.hours_left:,.1f} hours of the {found.running:,} processes that are running"
    for aside in found.set_aside:
        yield aside_in_words(f"{aside.unit:06d}", aside.tries, aside.reason)
    yield from (f"damaged: {problem}" for problem in found.damaged)
    if found.num_errors:
        yield f"errors: {found.num_errors:,} documents"
        for kind, errors in found.errors.items():
            yield f"  {errors.count:,} x {kind} ({'; '.join(map(_example, errors.examples))})"


def _example(found: Mapping[str, Any]) -> str:
    where = f"{found['file']}, line {found['line']}"
    return where if found["id"] is None else f"{found['id']} in {where}"
