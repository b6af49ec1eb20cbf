"""Workers: models in pinned processes of their own, measured in turns."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, ParamSpec, TypeVar

from benchmarks.processes import memory_of, started
from biogpt_onnx.bench.measuring.process import PinnedProcess

P = ParamSpec("P")
T = TypeVar("T")

# ONNX Runtime's threads look for work for a while before they sleep, and would disturb whoever comes next.
_PAUSE_SECONDS = 0.3


class Samples(NamedTuple):
    """Seconds of one prefill and of each step after it."""

    prefill: float
    steps: list[float]


@dataclass(frozen=True)
class Worker:
    """A model in a process of its own.

    Attributes:
        process: the process.
        loading: seconds that loading took, and the process's memory afterwards in bytes: `load_seconds`,
            `resident_bytes`, `anonymous_bytes`.
    """

    process: PinnedProcess
    loading: dict[str, float]

    def measure(self, ids: list[int], steps: int) -> Samples:
        """Measures one prefill and so many steps."""
        return Samples(**self.process.ask({"steps": {"ids": ids, "steps": steps}}))

    def measure_search(self, prompts: list[list[int]], steps: int, num_beams: int) -> Samples:
        """Measures a generation from prompts of equal length: the time to the first token, and of each step."""
        return Samples(**self.process.ask({"search": {"prompts": prompts, "steps": steps, "num_beams": num_beams}}))


@contextmanager
def worker(kind: str, source: Path, threads: int) -> Iterator[Worker]:
    """Starts a worker and ends it with the block.

    Args:
        kind: "prepacked", "mapped" or "transformers"; see `model_server`.
        source: a bundle, or a Hugging Face folder for transformers.
        threads: of the model, and cores that it is pinned to.
    """
    with started("micro.model_server", kind, source, threads, threads=threads) as process:
        memory = memory_of(process)
        loading = {"load_seconds": float(process.hello["load_seconds"])}
        yield Worker(process, loading | {name: memory[name] for name in ("resident_bytes", "anonymous_bytes")})


def after_a_pause(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Calls a function after the other processes' threads have gone to sleep."""
    time.sleep(_PAUSE_SECONDS)
    return function(*args, **kwargs)
