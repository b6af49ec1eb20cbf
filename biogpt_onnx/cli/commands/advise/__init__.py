"""The command `advise`: says which bundle and how many threads suit this machine."""

import argparse
import json

from biogpt_onnx.cli.arguments.bundle import (
    add_expect_argument_of_several,
    add_memory_check_argument,
    check_each_expected,
)
from biogpt_onnx.cli.arguments.names import non_empty_path
from biogpt_onnx.cli.progress import Progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "bundles",
        type=non_empty_path,
        nargs="+",
        metavar="BUNDLE",
        help="folders that `biogpt-onnx export` or `quantize` wrote; they are measured in turns",
    )
    add_expect_argument_of_several(parser)
    parser.add_argument(
        "--threads",
        type=int,
        nargs="+",
        default=[],
        metavar="N",
        help="numbers of threads to measure (default: one, a quarter, a half and all of the cores)",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=15.0,
        metavar="T",
        help="begin no further round of measuring after this time (default 15; three rounds are taken anyway)",
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON, the raw samples too")
    add_memory_check_argument(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command."""
    from biogpt_onnx.bench.advice.advice import advise
    from biogpt_onnx.bench.advice.report import to_dict, to_text

    check_each_expected(options)
    with Progress("measuring") as progress:
        advice = advise(
            options.bundles,
            threads=options.threads,
            seconds=options.seconds,
            check_memory=options.check_memory,
            progress=progress,
        )
    print(json.dumps(to_dict(advice), indent=2) if options.json else to_text(advice))
    return 0
