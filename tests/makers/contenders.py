"""Contenders without a model, and rows as they leave them."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from biogpt_onnx.bench.contender import Contender
from biogpt_onnx.bench.roofline import ModelSize

SCRIPT = Path(__file__).parents[1] / "bench" / "fake_contender.py"
Scripts = Callable[[str], ModuleType]
"""Imports a module of the benchmarks by its name below the package."""

MACHINE: dict[str, Any] = {
    "cpu": "a processor",
    "cores": 2,
    "instruction_sets": ["avx2"],
    "memory_gb": 8.0,
    "commit": "0123456789ab",
    "versions": {"biogpt-onnx": "0.1.0"},
}


def fake_contender(name: str = "fake", behaviour: str = "steps", log: Path | None = None, **fields: Any) -> Contender:
    """A process of `fake_contender.py`."""
    more = [] if log is None else ["--log", str(log)]
    defaults: dict[str, Any] = {
        "family": "fakes",
        "precision": "int8",
        "digest": "0" * 64,
        "disk_bytes": 1_000_000,
        "step_bytes": 500_000,
        "size": ModelSize(layer_weights=400_000, head_weights=100_000, vectors=1000, num_layers=2, hidden_size=64),
        "max_positions": 1024,
        "vocab_size": 100,
        "resident_bytes": 1000,
    }
    return Contender(
        name=name,
        command=lambda threads: [sys.executable, str(SCRIPT), name, str(threads), "--behaviour", behaviour, *more],
        **(defaults | fields),
    )


class NoProbe:
    """Stands for the process that measures the machine's limits, which takes memory and time."""

    def resume(self) -> None: ...
    def halt(self) -> None: ...
    def ask(self, _: object) -> dict[str, float]:
        return {"bandwidth": 1e9, "matmul": 1e10}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...
