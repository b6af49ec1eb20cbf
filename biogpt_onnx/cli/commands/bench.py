"""The command `bench`: measures how fast bundles run on this machine."""

import argparse

from biogpt_onnx.cli.arguments.bundle import (
    add_expect_argument_of_several,
    add_memory_check_argument,
    check_each_expected,
)
from biogpt_onnx.cli.arguments.names import non_empty_path
from biogpt_onnx.cli.progress import Progress
from biogpt_onnx.runtime.bundle.target import absolute, refuse_inputs, refuse_inside
from biogpt_onnx.runtime.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "bundles", type=non_empty_path, nargs="*", metavar="BUNDLE", help="folders; they are measured in turns"
    )
    add_expect_argument_of_several(parser)
    parser.add_argument(
        "--scenario",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="scenarios and suites: quick, standard (the default), full; --list names all",
    )
    parser.add_argument("--list", action="store_true", help="name the scenarios, what each does, and its suites")
    parser.add_argument(
        "--threads", type=int, nargs="+", default=[], metavar="N", help="numbers of threads (default: one a core)"
    )
    parser.add_argument(
        "--precision", nargs="+", default=[], metavar="NAME", help="refuse a bundle that is none of these"
    )
    parser.add_argument(
        "--device",
        choices=("cpu", "cuda"),
        default="cpu",
        help="cuda measures bundles in half precision on an NVIDIA GPU, without floors (default cpu)",
    )
    parser.add_argument("--no-prepack", action="store_true", help="use float32 weights as they lie in the file")
    parser.add_argument(
        "--output", type=non_empty_path, metavar="FILE", help="JSON lines; what is there already is not repeated"
    )
    parser.add_argument("--restart", action="store_true", help="give up what the output file holds")
    parser.add_argument(
        "--report", type=non_empty_path, metavar="FILE", help="write the Markdown report here, and do not print it"
    )
    parser.add_argument(
        "--plots", type=non_empty_path, metavar="DIR", help="draw pictures into this folder (extra `plot`)"
    )
    parser.add_argument(
        "--min-runs", type=int, default=6, metavar="N", help="generations of each, at least (default 6)"
    )
    parser.add_argument(
        "--min-seconds", type=float, default=3.0, metavar="T", help="seconds that they take, at least (default 3)"
    )
    add_memory_check_argument(parser)


def _check_apart(options: argparse.Namespace) -> None:
    """Refuses outputs that would lie in a bundle, or replace one another.

    Raises:
        ConfigError: two outputs are one file.
        BundleError: an output would lie in a bundle.
    """
    # Plots are files in the folder that is named.
    plot = options.plots and options.plots / "plot.svg"
    for output in filter(None, (options.output, options.report, plot)):
        refuse_inside(output, options.bundles)
    if options.output is not None and options.report is not None:
        if absolute(options.output) == absolute(options.report):
            raise ConfigError(f"output and report are both {options.report}: name two files")
        refuse_inputs(options.report, [options.output])


def run(options: argparse.Namespace) -> int:
    """Runs the command; returns 1 if some measurements failed."""
    from biogpt_onnx.bench.contender import bundle_contender, check_precisions
    from biogpt_onnx.bench.machine import describe, gpus
    from biogpt_onnx.bench.measuring.interleaving import Settings
    from biogpt_onnx.bench.report.outputs import Outputs, check_rows
    from biogpt_onnx.bench.rows import open_rows
    from biogpt_onnx.bench.runner import Plan
    from biogpt_onnx.bench.runner import run as measure
    from biogpt_onnx.bench.scenarios import catalogue, select

    if options.list:
        print(catalogue())
        return 0
    if not options.bundles:
        raise ConfigError("no bundle is named: give at least one folder that `biogpt-onnx export` wrote")
    check_each_expected(options)
    scenarios = select(options.scenario)
    contenders = {
        folder: bundle_contender(
            folder, prepack=not options.no_prepack, device=options.device, check_memory=options.check_memory
        )
        for folder in options.bundles
    }
    check_precisions(contenders, tuple(options.precision))
    settings = Settings(options.min_runs, options.min_seconds)
    plan = Plan(tuple(contenders.values()), tuple(scenarios), tuple(options.threads), settings)
    plan.check(check_memory=options.check_memory)
    outputs = Outputs(options.report, options.plots)
    outputs.check()
    _check_apart(options)
    machine = describe() | ({} if options.device == "cpu" else {"gpus": gpus()})
    rows = open_rows(
        options.output,
        machine,
        {contender.name: contender.digest for contender in plan.contenders},
        vars(settings),
        restart=options.restart,
    )
    check_rows(rows.rows)
    with Progress("measuring") as progress:
        measure(plan, rows, machine, progress=progress)
    text = outputs.write(rows.rows)
    if options.report is None:
        print(text)
    return 1 if any(row["status"] == "failed" for row in rows.rows) else 0
