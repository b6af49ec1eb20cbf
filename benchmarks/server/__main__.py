"""Our server under load, beside other servers on the same weights: `python -m benchmarks.server --output FILE`.

Each server has two threads and BioGPT's size in 8 bits (transformers in bfloat16); ours also with a cache in 8 bits.
All are started, and take turns; those that wait are halted. Measured are closed loops of clients and open loops of
arrivals, the steps of those who write while a long prompt is read, and what our servers cost beside the runtime. A part
that is done is in the file, and an interrupted run goes on where it was. The other servers need
`make bench-server-peers`.
"""

import argparse
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.compare.peers.catalogue import ENVIRONMENTS
from benchmarks.full_size import PRESET, THREADS
from benchmarks.processes import CHECKOUT
from benchmarks.results_file import output_file
from benchmarks.server.contenders import OURS, OURS_CACHE, SERVERS, Setup
from benchmarks.server.loading.workload import KINDS
from benchmarks.server.measuring import Times
from benchmarks.server.models import MINI, RECIPE, Models
from benchmarks.server.parts import Choice
from benchmarks.server.results import ServerResults
from benchmarks.server.running import Run
from biogpt_onnx.runtime.errors import BioGptError

ROWS = 8
MEASURES = ("cost", "reading", "closed", "open")
CLIENTS = (1, 2, 4, 8, 16)
RATES = (20, 40)
DEFAULT_SERVERS = ("ours", "ours-cache", "llama", "openvino", "transformers")

_BAD_INPUT = 2
_ENDED = 143


def main() -> int:
    """Measures and writes the results; returns 1 where a server failed, 2 where what was asked cannot be done."""
    options = _parser().parse_args()
    # Ended by a signal, it ends the servers, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_ENDED))
    choice = Choice(options.servers, options.measures, options.kinds, options.clients, options.rates, options.rounds)
    times = Times(options.warm, options.seconds, options.open_seconds, options.patience)
    settings = {
        "model": MINI if options.mini else PRESET,
        "recipe": RECIPE,
        "threads": THREADS,
        "rows": options.rows,
        "kinds": {name: [*kind.prompt_tokens, *kind.new_tokens] for name, kind in KINDS.items()},
    }
    try:
        results = ServerResults(options.output, settings, restart=options.restart)
        with ExitStack() as stack:
            logs = options.logs or Path(stack.enter_context(TemporaryDirectory()))
            logs.mkdir(parents=True, exist_ok=True)
            models = Models(options.work, options.bundle, options.cache_bundle, mini=options.mini)
            setup = Setup(models, options.environments, THREADS, options.rows)
            failed = Run(setup, results, logs, stack).measure(choice, times)
    except (BioGptError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return _BAD_INPUT
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--output", type=output_file, required=True, metavar="FILE", help="the results, as JSON")
    add("--servers", nargs="+", choices=SERVERS, default=list(DEFAULT_SERVERS), metavar="NAME", help=_servers_help())
    add("--measures", nargs="+", choices=MEASURES, default=list(MEASURES), help="default: all")
    add("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="of requests, in closed loops and for the cost")
    add("--clients", nargs="+", type=_positive, default=list(CLIENTS), metavar="N", help="of closed loops")
    add("--rates", nargs="+", type=_positive, default=list(RATES), metavar="N", help="arrivals a minute of open loops")
    add("--rounds", type=_positive, default=1, metavar="N", help="how often everything is measured (default 1)")
    add("--rows", type=_positive, default=ROWS, metavar="N", help="requests that each may run at once (default 8)")
    add("--seconds", type=float, default=8, metavar="S", help="of a closed loop that count (default 8)")
    add("--warm", type=float, default=3, metavar="S", help="of each loop before anything counts (default 3)")
    add("--open-seconds", type=float, default=20, metavar="S", help="of an open loop that count (default 20)")
    add("--patience", type=float, default=20, metavar="S", help="of an open loop for late answers (default 20)")
    add("--bundle", type=Path, metavar="DIR", help="our bundle, instead of one that is made")
    add("--cache-bundle", type=Path, metavar="DIR", help="that with a cache in 8 bits, instead of one that is made")
    add("--mini", action="store_true", help="the embedded checkpoint instead of BioGPT's size, to try this out")
    work = CHECKOUT / "build" / "bench"
    add("--work", type=Path, default=work, metavar="DIR", help="keeps the models")
    add("--environments", type=Path, default=ENVIRONMENTS, metavar="DIR", help="of the other servers")
    add("--logs", type=Path, metavar="DIR", help="keeps what the servers print")
    add("--restart", action="store_true", help="give up what the output file holds")
    return parser


def _servers_help() -> str:
    return (
        f"of {', '.join(SERVERS)}; default: {', '.join(DEFAULT_SERVERS)}. The cost is that of {OURS} and {OURS_CACHE}"
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
