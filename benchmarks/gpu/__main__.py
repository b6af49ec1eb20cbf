"""All checks and measurements that need an NVIDIA GPU, in one call: `python benchmarks/gpu.py --output gpu.json`.

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
    PYTHONPATH=.:site python benchmarks/gpu.py --output gpu.json

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
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import gpu_alternatives
import gpu_bandwidth
import gpu_checks
import gpu_environment
import gpu_goals
import gpu_short_passes
import gpu_speed
import gpu_turns
from gpu_models import ACCELERATORS, MINI, Making
from gpu_parts import Clock, Found, Part, attempt, run_parts

_MODELS = (MINI, "biogpt", "biogpt-large")
_PRECISIONS = {"cuda": ("fp16", "bf16"), "cpu": ("fp16",)}
_READING = {
    "times": "seconds; medians of the samples beside them; rates are bytes a second, read and written together",
    "checks": "`spread` is the standard deviation of float32's logits; `close` says that rounding may decide",
    "speed": "our steps, one prompt or batch after the other; `floor` is to read the file of weights once",
    "alternatives": "settings that were not chosen, beside `chosen`, in turns; `logits_apart_to_spread` is to that",
    "short passes": "drafts and choices as they are made, beside how they might be, in turns",
    "transformers": "whole generations in turns; a step is the mean of those after the first token",
    "compiled": "likewise, with a cache of fixed size, for which transformers compiles its steps",
}


@dataclass(frozen=True)
class Run:
    """One call of the script.

    Attributes:
        device: "cuda" or "cpu".
        makings: the models, by their names, that are being made.
        parts: what is found, by the parts' names.
        clock: what is left.
    """

    device: str
    makings: Mapping[str, Making]
    parts: dict[str, Found]
    clock: Clock

    def plan(self) -> dict[str, Part]:
        """The parts, the most important first."""
        plan: dict[str, Part] = {"environment": self._environment}
        if MINI in self.makings:
            plan |= {f"checks {name}": partial(self._checks, recipe=name) for name in _PRECISIONS[self.device]}
        plan |= {"bandwidth": self._bandwidth, "models": self._models}
        # Where there is no other model, the embedded one shows at least that all can be measured.
        measured = [model for model in self.makings if model != MINI] or [MINI]
        for model in measured:
            plan[f"speed {model}"] = partial(self._speed, model=model)
            plan[f"transformers {model}"] = partial(self._transformers, model=model, static=False)
        plan[f"alternatives {measured[0]}"] = partial(self._alternatives, model=measured[0])
        plan[f"short passes {measured[0]}"] = partial(self._short_passes, model=measured[0])
        for model in measured:
            plan[f"transformers compiled {model}"] = partial(self._transformers, model=model, static=True)
        return plan

    @property
    def _is_dry(self) -> bool:
        return self.device == "cpu"

    @property
    def _sizes(self) -> gpu_speed.Sizes:
        return gpu_speed.DRY if self._is_dry else gpu_speed.Sizes()

    def _environment(self, found: Found) -> None:
        found |= gpu_environment.describe()
        nodes = found["nodes"] = {}
        for precision in _PRECISIONS[self.device] if MINI in self.makings else ():
            folder = self._made(MINI) / precision
            nodes[precision] = attempt(partial(gpu_environment.node_placement, folder, ACCELERATORS[self.device]))

    def _checks(self, found: Found, recipe: str) -> None:
        gpu_checks.measure(found, self._made(MINI), recipe, ACCELERATORS[self.device], self.clock, dry=self._is_dry)

    def _bandwidth(self, found: Found) -> None:
        found |= gpu_bandwidth.measure(self.device, self.clock)

    def _models(self, found: Found) -> None:
        """Waits, so that nothing is measured beside what makes models, but no longer than half of what is left."""
        end = self.clock.left / 2
        for model, making in self.makings.items():
            making.wait(self.clock.left - end)
            if making.is_running:
                found[model] = "is still being made, beside what is measured"
            else:
                found[model] = attempt(partial(making.result, 0.0))

    def _speed(self, found: Found, model: str) -> None:
        folder = self._made(model) / "fp16"
        bandwidth = self.parts.get("bandwidth", {}).get("bytes_per_second")
        gpu_speed.measure(found, folder, ACCELERATORS[self.device], self._sizes, bandwidth, self.clock)

    def _alternatives(self, found: Found, model: str) -> None:
        folder = self._made(model) / "fp16"
        gpu_alternatives.measure(found, folder, ACCELERATORS[self.device], self._sizes, self.clock)

    def _short_passes(self, found: Found, model: str) -> None:
        folder = self._made(model) / "fp16"
        gpu_short_passes.measure(found, folder, ACCELERATORS[self.device], self._sizes, self.clock)

    def _transformers(self, found: Found, model: str, *, static: bool) -> None:
        made = self._made(model)
        gpu_turns.measure(found, made, ACCELERATORS[self.device], self._sizes, self.clock, static=static)

    def _made(self, model: str) -> Path:
        making = self.makings[model]
        making.result(self.clock.left)
        return making.folder


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
    for goal in gpu_goals.reached(run.parts):
        print(json.dumps(goal), flush=True)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="the JSON file to write")
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
        "goals": gpu_goals.reached(parts),
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
