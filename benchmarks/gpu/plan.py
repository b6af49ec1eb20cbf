"""Parts of a run on a GPU, in the order of their importance."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.gpu import bandwidth, environment, speed, turns
from benchmarks.gpu.checks.suite import run_checks
from benchmarks.gpu.models import ACCELERATORS, MINI, Making
from benchmarks.gpu.parts import Clock, Found, Part, attempt

_PRECISIONS = {"cuda": ("fp16", "bf16"), "cpu": ("fp16",)}


@dataclass(frozen=True)
class Run:
    """One call of the program.

    Attributes:
        device: "cuda" or "cpu".
        makings: the models that are being made, by name.
        parts: the results, by the parts' names.
        clock: the time that is left.
    """

    device: str
    makings: Mapping[str, Making]
    parts: dict[str, Found]
    clock: Clock

    def plan(self) -> dict[str, Part]:
        """Returns the parts by name, the most important first."""
        plan: dict[str, Part] = {"environment": self._environment}
        if MINI in self.makings:
            plan |= {f"checks {name}": partial(self._checks, recipe=name) for name in _PRECISIONS[self.device]}
        plan |= {"bandwidth": self._bandwidth, "models": self._models}
        # Where there is no other model, the embedded one shows at least that all can be measured.
        measured = [model for model in self.makings if model != MINI] or [MINI]
        for model in measured:
            plan[f"speed {model}"] = partial(self._speed, model=model)
            plan[f"transformers {model}"] = partial(self._transformers, model=model, static=False)
        for model in measured:
            plan[f"transformers compiled {model}"] = partial(self._transformers, model=model, static=True)
        return plan

    @property
    def _is_dry(self) -> bool:
        return self.device == "cpu"

    @property
    def _sizes(self) -> speed.Sizes:
        return speed.DRY if self._is_dry else speed.Sizes()

    def _environment(self, found: Found) -> None:
        found |= environment.describe()
        nodes = found["nodes"] = {}
        for precision in _PRECISIONS[self.device] if MINI in self.makings else ():
            folder = self._made(MINI) / precision
            nodes[precision] = attempt(partial(environment.node_placement, folder, ACCELERATORS[self.device]))

    def _checks(self, found: Found, recipe: str) -> None:
        run_checks(found, self._made(MINI), recipe, ACCELERATORS[self.device], self.clock, dry=self._is_dry)

    def _bandwidth(self, found: Found) -> None:
        found |= bandwidth.measure(self.device, self.clock)

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
        bytes_per_second = self.parts.get("bandwidth", {}).get("bytes_per_second")
        speed.measure(found, folder, ACCELERATORS[self.device], self._sizes, bytes_per_second, self.clock)

    def _transformers(self, found: Found, model: str, *, static: bool) -> None:
        made = self._made(model)
        turns.measure(found, made, ACCELERATORS[self.device], self._sizes, self.clock, static=static)

    def _made(self, model: str) -> Path:
        making = self.makings[model]
        making.result(self.clock.left)
        return making.folder
