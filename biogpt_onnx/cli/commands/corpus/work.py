"""The command `corpus work`: answers the units of a run."""

import argparse
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

from biogpt_onnx.cli.arguments.bundle import add_bundle_argument, add_memory_check_argument
from biogpt_onnx.cli.arguments.names import non_empty, non_empty_path
from biogpt_onnx.cli.interruption import noting_interruption
from biogpt_onnx.cli.progress import Progress
from biogpt_onnx.corpus import Capacity, ClusterCapacity, Shard, WorkReport, work, work_on_ray
from biogpt_onnx.corpus.working.tries import TRIES
from biogpt_onnx.runtime.options import Device

_WHOLE = Shard()
_LOCAL = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("run_folder", type=non_empty_path, metavar="RUN", help="a folder that `corpus prepare` made")
    add_bundle_argument(parser)
    parser.add_argument(
        "--shard", default="0/1", metavar="I/N", help="answer every N-th unit alone, from unit I; I is from 0 to N-1"
    )
    parser.add_argument(
        "--workers", type=int, metavar="W", help="processes (default: what suits the cores and the memory)"
    )
    parser.add_argument("--threads", type=int, metavar="T", help="threads of each process (default: what suits them)")
    parser.add_argument("--device", choices=get_args(Device), default="auto", help="where to run (default auto)")
    parser.add_argument(
        "--batch-size", type=int, metavar="N", help="documents that are decoded together (default 8, on a GPU 32)"
    )
    parser.add_argument(
        "--tries",
        type=int,
        default=TRIES,
        metavar="N",
        help=f"set a unit aside that failed so often, and go on with the others (default {TRIES})",
    )
    parser.add_argument("--retry", action="store_true", help="try units again that were set aside")
    parser.add_argument(
        "--ray",
        type=non_empty,
        nargs="?",
        const=_LOCAL,
        metavar="ADDRESS",
        help="work by a Ray cluster: HOST:PORT, or auto for that of this node; without ADDRESS one on this machine "
        "alone is started for the call. All nodes must see RUN and BUNDLE under the same names",
    )
    parser.add_argument("--no-pinning", action="store_true", help="let the system choose the cores of each process")
    add_memory_check_argument(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; returns 1 if units were set aside."""
    shard = Shard.parse(options.shard)
    with (
        noting_interruption(lambda: f"what is done stays done: the same command goes on with {options.run_folder}"),
        Progress("work", estimate=True) as progress,
    ):
        report = _work(options, shard, progress)
    _report(report, options.run_folder, shard)
    return 0 if report.is_complete else 1


def _work(options: argparse.Namespace, shard: Shard, progress: Callable[[int, int], None]) -> WorkReport:
    settings: dict[str, Any] = {
        "shard": shard,
        "workers": options.workers,
        "threads": options.threads,
        "device": options.device,
        "expect": options.expect,
        "batch_size": options.batch_size,
        "tries": options.tries,
        "retry": options.retry,
        "pin": not options.no_pinning,
        "check_memory": options.check_memory,
        "progress": progress,
        "notice": lambda text: _say(f"warning: {text}"),
    }
    if options.ray is None:
        return work(options.run_folder, options.bundle, **settings, started=_say_capacity)
    address = None if options.ray is _LOCAL else options.ray
    return work_on_ray(options.run_folder, options.bundle, address, **settings, started=_say_cluster)


def _say_capacity(capacity: Capacity) -> None:
    workers = _counted(capacity.workers, "process", "processes")
    threads = _counted(capacity.threads, "thread", "threads")
    _say(f"note: {workers} of {threads} each, at most about {capacity.total_bytes / 1e9:.1f} GB of memory in all")


def _say_cluster(capacity: ClusterCapacity) -> None:
    nodes = _counted(capacity.nodes, "node", "nodes")
    workers = _counted(capacity.workers, "worker", "workers")
    _say(f"note: {nodes} for {workers} of {_counted(capacity.threads, 'thread', 'threads')} each")


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _report(report: WorkReport, folder: Path, shard: Shard) -> None:
    of_shard = "" if shard == _WHOLE else f" of shard {shard.index}/{shard.count}"
    print(f"{folder}: {report.done:,} of {report.units:,} units{of_shard} done, {report.documents:,} documents")
    if report.set_aside:
        names = ", ".join(f"{each.unit:06d}" for each in report.set_aside)
        _say(f"warning: set aside: {names}; `biogpt-onnx corpus status {folder}` says why, --retry tries again")


def _say(text: str) -> None:
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)
