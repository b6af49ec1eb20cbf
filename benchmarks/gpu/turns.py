"""Ours and transformers on the same weights and the same card, in turns."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.gpu.models import open_on
from benchmarks.gpu.parts import Clock, Found, attempt
from benchmarks.gpu.speed import Sizes, random_prompts, rounded, token_times
from benchmarks.gpu.transformers_peer import Peer, transformers_peer
from biogpt_onnx.runtime.backends.cuda.session import Accelerator, DeviceSession

_DTYPE = "float16"


@dataclass(frozen=True)
class Turns:
    """Our session and transformers, which are measured in turns.

    Attributes:
        session: ours.
        peer: transformers.
        sizes: sizes and repetitions.
        clock: the time that is left of the run.
        static: whether transformers has a cache of fixed size and compiles its steps.
    """

    session: DeviceSession
    peer: Peer
    sizes: Sizes
    clock: Clock
    static: bool

    def measure(self, batch_size: int) -> Found:
        """Measures whole generations of so many prompts in turns, the first round of which warms up.

        A generation of one token alone is measured beside each: transformers shows no single steps, so that its mean
        step is the difference, shared among the steps. Ours is computed from the same two moments.
        """
        prompts = random_prompts(batch_size, self.sizes.prompt, self.session.vocab_size)
        samples: dict[str, list[dict[str, float]]] = {"ours": [], "transformers": []}
        for number in range(self.sizes.rounds + 1):
            self.clock.check()
            ours, (theirs, is_compiled) = self._ours(prompts), self._theirs(prompts)
            if number:
                samples["ours"].append(ours)
                samples["transformers"].append(theirs)
        found: Found = {name: _medians(rounds) for name, rounds in samples.items()}
        for what in ("first_token", "step"):
            found[f"{what}_to_transformers"] = (
                found["ours"][f"{what}_seconds"] / found["transformers"][f"{what}_seconds"]
            )
        return found | {"transformers_compiled": is_compiled}

    def _ours(self, prompts: Sequence[Sequence[int]]) -> dict[str, float]:
        times = token_times(self.session, prompts, self.sizes.peer_steps + 1)
        return {"first_token": times[0], "step": (times[-1] - times[0]) / self.sizes.peer_steps}

    def _theirs(self, prompts: Sequence[Sequence[int]]) -> tuple[dict[str, float], bool]:
        # The longer one first: a cache of fixed size is then kept for the shorter one.
        whole, first = (
            self.peer.generate(prompts, count, self.clock.left, static=self.static)
            for count in (self.sizes.peer_steps + 1, 1)
        )
        step = (whole.seconds - first.seconds) / self.sizes.peer_steps
        return {"first_token": first.seconds, "step": step}, whole.compiled


def measure(  # noqa: PLR0913 -- whose weights, where, how much, how long, in which way
    found: Found, made: Path, accelerator: Accelerator, sizes: Sizes, clock: Clock, *, static: bool
) -> None:
    """Measures ours beside transformers.

    Args:
        found: takes the results; times are in seconds.
        made: the folder with the bundle "fp16" and the weights "checkpoint".
        accelerator: the device.
        sizes: sizes and repetitions.
        clock: the time that is left of the run.
        static: whether transformers compiles its steps; then with a single prompt only, as each size takes a minute.

    Raises:
        ContenderError: transformers does not run.
        RuntimeError: transformers on a GPU did not compile what it was to compile.
    """
    with transformers_peer(made / "checkpoint", accelerator.name, _DTYPE, clock.left) as peer:
        found |= {"transformers": peer.version, "dtype": _DTYPE, "attention": "sdpa"}
        found |= {"cache": "static" if static else "dynamic", "prompt_tokens": sizes.prompt, "steps": sizes.peer_steps}
        turns = Turns(open_on(made / "fp16", accelerator), peer, sizes, clock, static)
        batches = found["batches"] = {}
        for size in sizes.peer_batches[: 1 if static else None]:
            batches[str(size)] = attempt(lambda size=size: turns.measure(size))  # type: ignore[misc]
    if static and accelerator.name == "cuda" and not any(one.get("transformers_compiled") for one in batches.values()):
        raise RuntimeError("generate did not compile BioGPT's steps, though its cache is of fixed size")


def _medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    samples = {what: [one[what] for one in rounds] for what in ("first_token", "step")}
    medians = {f"{what}_seconds": statistics.median(values) for what, values in samples.items()}
    return medians | {"samples": {what: rounded(values) for what, values in samples.items()}}
