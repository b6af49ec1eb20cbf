"""Weights in huge pages beside small ones, at BioGPT's size: `python -m benchmarks.micro.huge_pages --output FILE`.

Two processes load the same bundle, one of them with `huge_pages=False`, and take turns: in bursts of prompts of several
lengths, and of steps of one and more rows. Where the system makes huge pages by itself, both have them: the file says
how many bytes each has, and what the system does.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.full_size import PRESET, THREADS
from benchmarks.in_turns import measured_in_turns
from benchmarks.processes import started
from benchmarks.recipe_runs import measure_recipes, recipe_options
from benchmarks.results_file import stamp
from biogpt_onnx.bench.measuring.process import PinnedProcess

ROUNDS = 9
PAGES = ("huge", "small")
READ = {"read 32": (32, 4), "read 128": (128, 4), "read 512": (512, 2)}
"""Prompts by name: tokens, and how often one is read in a burst."""
STEPS = {"step of 1, behind 16": (1, 16), "step of 1, behind 256": (1, 256), "step of 8, behind 16": (8, 16)}
"""Steps by name: rows, and tokens before."""
_TIMES = 8

_SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def main() -> None:
    """Measures and writes the results."""
    options = recipe_options(__doc__, ROUNDS)
    setting = _SETTING.read_text(encoding="ascii").strip()
    results = stamp() | {"model": PRESET, "threads": THREADS, "rounds": options.rounds, "enabled": setting}
    measure_recipes(options, results, _measured)


def _measured(bundle: Path, rounds: int) -> dict[str, Any]:
    with ExitStack() as stack:
        module = "micro.huge_pages.process"
        processes = {
            pages: stack.enter_context(started(module, bundle, THREADS, pages, threads=THREADS)) for pages in PAGES
        }
        asked: dict[str, dict[str, Any]] = {
            name: {"read": {"tokens": tokens, "times": times}} for name, (tokens, times) in READ.items()
        }
        for name, (rows, tokens) in STEPS.items():
            asked[name] = {"step": {"rows": rows, "tokens": tokens, "times": _TIMES}}
        passes = {name: _in_turns(processes, request, rounds) for name, request in asked.items()}
        return {"loading": {pages: dict(process.hello) for pages, process in processes.items()}, "passes": passes}


def _in_turns(processes: dict[str, PinnedProcess], request: dict[str, Any], rounds: int) -> dict[str, Any]:
    def measure(process: PinnedProcess) -> list[float]:
        seconds: list[float] = process.ask(request)["seconds"]
        return seconds

    return measured_in_turns(processes, measure, rounds, ours="huge", theirs="small")


if __name__ == "__main__":
    main()
