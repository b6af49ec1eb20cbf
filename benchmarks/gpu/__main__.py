"""All checks and measurements that need an NVIDIA GPU, in one call: `python -m benchmarks.gpu --output gpu.json`.

It takes less than eight minutes on a card of the H100's kind, 16 GB of disk and 16 GB of memory.
Parts are run in the order of their importance, and the file is written anew after each: what fails is recorded there
with its error while the rest goes on, what time is not left for is recorded as not run, and a run that is killed leaves
what it has. `--device cpu` is a dry run for machines without a GPU: the embedded checkpoint alone, a CPU in the place
of the card, tiny sizes. Its times mean nothing.

It runs from a checkout, without being installed. Whatever of the following a machine without network lacks is brought
as wheels. They are downloaded where there is a network, for the Python of the machine with the GPU:

    PACKAGES="onnxruntime-gpu sacremoses joblib cloudpickle onnx onnx-ir ml-dtypes protobuf"
    pip download --no-deps --only-binary=:all: --python-version 3.12 --dest wheels $PACKAGES

and there installed into a folder of their own, beside the torch and transformers that are there:

    pip install --no-index --no-deps --find-links wheels --target site $PACKAGES
    PYTHONPATH=.:site python -m benchmarks.gpu --output gpu.json

ONNX Runtime must be built for the major version of CUDA whose libraries are there; torch's own are found.
"""

import argparse
import faulthandler
import json
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.gpu import goals
from benchmarks.gpu.models import MINI, Making
from benchmarks.gpu.parts import Clock, Found, run_parts
from benchmarks.gpu.plan import Run
from benchmarks.results_file import output_file

_MODELS = (MINI, "biogpt", "biogpt-large")
_READING = {
    "times": "seconds; medians of the samples beside them; rates are bytes a second, read and written together",
    "checks": "`spread` is the standard deviation of float32's logits; `close` says that rounding may decide",
    "speed": "our steps, one prompt or batch after the other; `floor` is to read the file of weights once",
    "transformers": "whole generations in turns; a step is the mean of those after the first token",
    "compiled": "whole generations in turns, with a cache of fixed size, for which transformers compiles its steps",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Checks, measures and writes the results."""
    options = _options(arguments)
    clock = Clock(options.seconds)
    with ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        makings = {model: Making(model, folder) for model in _MODELS if model in options.models}
        for making in makings.values():
            stack.callback(making.stop)
        run = Run(options.device, makings, {}, clock)
        plan = {name: part for name, part in run.plan().items() if _is_wanted(name, options.parts)}
        results = {
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "device": options.device,
            "dry_run": options.device == "cpu",
            "seconds": options.seconds,
            "reading": _READING,
        }
        run_parts(plan, run.parts, clock, lambda: _write(options.output, results, run.parts))
    for goal in goals.reached(run.parts):
        print(json.dumps(goal), flush=True)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu is a dry run")
    parser.add_argument(
        "--models",
        nargs="+",
        choices=_MODELS,
        help="mini is checked; the others, or mini if it is the only one, are measured. By default all, on a CPU mini",
    )
    parser.add_argument("--seconds", type=float, default=420.0, help="after which no part is begun")
    parser.add_argument("--folder", type=Path, help="where models are made and stay; by default a temporary folder")
    parser.add_argument("--parts", nargs="+", metavar="WORD", help="only parts whose names begin with one of these")
    options = parser.parse_args(arguments)
    if options.device == "cpu" and set(options.models or ()) - {MINI}:
        parser.error("--device cpu is a dry run of the model mini alone: leave --models out")
    options.models = options.models or (_MODELS if options.device == "cuda" else (MINI,))
    return options


def _is_wanted(name: str, words: Sequence[str] | None) -> bool:
    return words is None or any(name.startswith(word) for word in words)


def _write(path: Path, results: Mapping[str, object], parts: Mapping[str, Found]) -> None:
    checked: list[Any] = [found.get("passed", False) for name, found in parts.items() if name.startswith("checks")]
    whole = {
        **results,
        "passed": all(checked) if checked else None,
        "goals": goals.reached(parts),
        "parts": parts,
    }
    # What is half written when the run is killed must not replace what was whole.
    partial_path = path.with_name(f"{path.name}.partial")
    partial_path.write_text(json.dumps(whole, indent=1, default=str) + "\n", encoding="utf-8")
    partial_path.replace(path)


if __name__ == "__main__":
    # A crash in a driver or a kernel says where it happened; and whoever ends this process ends its children with it.
    faulthandler.enable()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
