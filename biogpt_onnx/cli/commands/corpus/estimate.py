"""The command `corpus estimate`: how long a corpus takes."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import get_args

from biogpt_onnx.cli.arguments.bundle import add_expect_argument, add_memory_check_argument
from biogpt_onnx.cli.arguments.names import non_empty_path
from biogpt_onnx.corpus.estimate import FORMULA, PUBMED_DOCUMENTS, Estimate, Factor, estimate
from biogpt_onnx.corpus.working.measuring import SAMPLE_DOCUMENTS
from biogpt_onnx.runtime.options import Device

_WITHOUT_FRACTION = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "run_folder", nargs="?", type=non_empty_path, metavar="RUN", help="a run, from which factors are taken"
    )
    parser.add_argument(
        "bundle",
        nargs="?",
        type=non_empty_path,
        metavar="BUNDLE",
        help="a bundle, which is measured on some documents of RUN",
    )
    add_expect_argument(parser)
    parser.add_argument(
        "--documents",
        type=int,
        metavar="D",
        help=f"documents (default: those of RUN that are left, else all of PubMed, {PUBMED_DOCUMENTS:,})",
    )
    parser.add_argument("--with-text", type=float, metavar="A", help="share of them that have a text, from 0 to 1")
    parser.add_argument(
        "--speed", type=float, metavar="N", help="documents that one worker alone on a machine answers in a minute"
    )
    parser.add_argument("--workers", type=int, metavar="W", help="workers on all machines (default 1)")
    parser.add_argument(
        "--full-node", type=float, metavar="C", help="share of that speed which is left while a machine is full"
    )
    parser.add_argument("--efficiency", type=float, metavar="E", help="share of the time in which workers are busy")
    parser.add_argument(
        "--sample",
        type=int,
        default=SAMPLE_DOCUMENTS,
        metavar="N",
        help=f"documents that BUNDLE is measured on (default {SAMPLE_DOCUMENTS})",
    )
    parser.add_argument(
        "--node-workers", type=int, metavar="N", help="workers that fill this machine, as --workers of work"
    )
    parser.add_argument("--threads", type=int, metavar="T", help="threads of each, as of `corpus work`")
    parser.add_argument("--device", choices=get_args(Device), default="auto", help="where to run (default auto)")
    parser.add_argument("--batch-size", type=int, metavar="N", help="documents that are decoded together")
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    add_memory_check_argument(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command."""
    found = estimate(
        options.run_folder,
        options.bundle,
        documents=options.documents,
        with_text=options.with_text,
        speed=options.speed,
        workers=options.workers,
        full_node=options.full_node,
        efficiency=options.efficiency,
        sample_documents=options.sample,
        node_workers=options.node_workers,
        threads=options.threads,
        device=options.device,
        expect=options.expect,
        batch_size=options.batch_size,
        check_memory=options.check_memory,
        notice=_say,
    )
    print(json.dumps(found.to_dict()) if options.json else "\n".join(_lines(found)))
    return 0


def _lines(found: Estimate) -> Iterator[str]:
    yield _line("D, documents", found.documents)
    yield _line("a, share with a text", found.with_text)
    yield _line("d, documents a minute of one worker alone", found.speed)
    yield _line("W, workers", found.workers)
    yield _line("c, share of the speed on a full machine", found.full_node)
    yield _line("E, share of the time in which workers are busy", found.efficiency)
    yield f"{FORMULA} = {found.hours:,.1f}, {found.worker_hours:,.1f} hours of workers"


def _line(name: str, factor: Factor) -> str:
    is_whole = float(factor.value).is_integer() or factor.value > _WITHOUT_FRACTION
    value = f"{factor.value:,.0f}" if is_whole else f"{factor.value:.3g}"
    return f"{name}: {value} ({factor.origin})"


def _say(text: str) -> None:
    with suppress(OSError):
        print(f"note: {text}", file=sys.stderr, flush=True)
