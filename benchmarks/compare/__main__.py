"""Ours beside what people would use instead, on the same weights: `python -m benchmarks.compare --output FILE`.

Makes every model, has each peer show that it runs the same one, measures all in turns, then quality, and writes rows,
report and pictures. What is in the output file already is not measured again. Peers need `make bench-peers`.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.compare.comparison import ComparisonConfig, compare
from benchmarks.compare.models import OURS
from benchmarks.processes import CHECKOUT
from biogpt_onnx.bench.measuring.interleaving import Settings
from biogpt_onnx.bench.report.outputs import Outputs
from biogpt_onnx.runtime.errors import BioGptError

_BAD_INPUT = 2


def main() -> int:
    """Runs the comparison; returns 2 where something is wrong with what was asked for."""
    options = _parser().parse_args()
    config = ComparisonConfig(
        output=options.output,
        outputs=Outputs(options.report, options.plots),
        scenarios=options.scenario,
        peers=options.peers,
        recipes=options.recipes,
        everyone=options.everyone,
        quality=not options.no_quality,
        data=options.data,
        work=options.work,
        mini=options.mini,
        preset=options.preset,
        settings=Settings(options.min_runs, options.min_seconds),
        restart=options.restart,
    )
    try:
        compare(config)
    except (BioGptError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return _BAD_INPUT
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the rows, as JSON lines")
    parser.add_argument("--report", type=Path, metavar="FILE", help="the Markdown report")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="the pictures")
    parser.add_argument("--scenario", nargs="+", default=[], metavar="NAME", help="scenarios and suites")
    parser.add_argument("--peers", nargs="*", metavar="NAME", help="of the catalogue's peers these alone")
    parser.add_argument("--recipes", nargs="+", default=list(OURS), metavar="NAME", help="of our bundles these alone")
    parser.add_argument("--everyone", action="store_true", help="measure all contenders in every scenario")
    parser.add_argument("--no-quality", action="store_true", help="leave quality out")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="a folder with bc5cdr/valid.json, to measure quality on"
    )
    work = CHECKOUT / "build" / "bench"
    parser.add_argument("--work", type=Path, default=work, metavar="DIR", help="keeps the models")
    parser.add_argument("--mini", type=Path, default=CHECKOUT / "checkpoints" / "mini", help="the embedded checkpoint")
    parser.add_argument("--preset", default="preset:biogpt", help="the weights to measure with")
    parser.add_argument("--min-runs", type=int, default=Settings.min_runs)
    parser.add_argument("--min-seconds", type=float, default=Settings.min_seconds)
    parser.add_argument("--restart", action="store_true", help="give up what the output file holds")
    return parser


if __name__ == "__main__":
    sys.exit(main())
