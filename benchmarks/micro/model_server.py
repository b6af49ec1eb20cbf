"""A model in a process of its own, asked over a pipe what to compute.

Run as `python -m benchmarks.micro.model_server KIND SOURCE THREADS`. A kind is "prepacked" or "mapped" (of a bundle),
or "transformers" (of a Hugging Face folder). The first line says how long loading took. Requests are
`{"steps": {"ids": [...], "steps": n}}` and `{"search": {"prompts": [[...], ...], "steps": n, "num_beams": k}}`, each
answered by `{"prefill": seconds, "steps": [seconds, ...]}`.
"""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import numpy as np

from benchmarks.serving import Handlers, serve


class Model(Protocol):
    """A loaded model that can be measured."""

    def prefill(self, ids: list[int]) -> None:
        """Reads a prompt into a fresh cache and computes the logits after it."""
        ...

    def step(self, token: int) -> int:
        """Reads one token more and returns the most likely next one."""
        ...

    def search(self, prompts: list[list[int]], steps: int, num_beams: int) -> list[float]:
        """Generates one token and so many more from prompts of equal length; returns the clock at each new token."""
        ...


class Ours:
    """A bundle in this project's runtime, its weights rearranged while loading or used as they lie in the file."""

    def __init__(self, source: str, threads: int, *, prepack: bool) -> None:
        from biogpt_onnx.runtime.backends.registry import open_backend
        from biogpt_onnx.runtime.bundle import read_manifest
        from biogpt_onnx.runtime.options import LoadOptions

        folder = Path(source)
        options = LoadOptions(device="cpu", threads=threads, prepack=prepack)
        self._backend = open_backend(folder, read_manifest(folder), options)
        self._cache = self._backend.new_cache(1, 1)

    def prefill(self, ids: list[int]) -> None:
        """Reads a prompt into a fresh cache and computes the logits after it."""
        self._cache = self._backend.new_cache(1, len(ids) + 64)
        self._backend.forward(np.array([ids], dtype=np.int64), self._cache)

    def step(self, token: int) -> int:
        """Reads one token more and returns the most likely next one."""
        return int(self._backend.step(np.array([[token]], dtype=np.int64), self._cache).logits().argmax())

    def search(self, prompts: list[list[int]], steps: int, num_beams: int) -> list[float]:
        """Generates from prompts of equal length, all together; returns the clock at each new token."""
        from biogpt_onnx.runtime.decoding.config import GenerationConfig
        from biogpt_onnx.runtime.decoding.limits import Limits
        from biogpt_onnx.runtime.decoding.request import Request
        from biogpt_onnx.runtime.decoding.search import run_search
        from biogpt_onnx.runtime.decoding.state import SequenceState

        config = GenerationConfig(max_new_tokens=steps + 1, num_beams=num_beams, eos_token_id=None)
        requests = [Request([SequenceState(tuple(ids), steps + 1, eos_token_id=None)]) for ids in prompts]
        return [perf_counter() for _ in run_search(self._backend, requests, config, Limits())]


class Transformers:
    """A checkpoint in transformers: float32, eager attention, called as its `generate` calls it."""

    def __init__(self, source: str, threads: int) -> None:
        import torch
        import transformers

        torch.set_num_threads(threads)
        self._torch = torch
        load: Any = transformers.BioGptForCausalLM.from_pretrained
        self._model = load(source, attn_implementation="eager").float().eval()
        self._past: Any = None

    def prefill(self, ids: list[int]) -> None:
        """Reads a prompt into a fresh cache and computes the logits after it."""
        self._past = None
        self._forward(ids)

    def step(self, token: int) -> int:
        """Reads one token more and returns the most likely next one."""
        return self._forward([token])

    def search(self, prompts: list[list[int]], steps: int, num_beams: int) -> list[float]:
        """Generates from prompts of equal length by `generate`; returns the clock when each step's logits are there."""
        times: list[float] = []

        def look_at_the_clock(_ids: object, logits: object) -> object:
            times.append(perf_counter())
            return logits

        ids = self._torch.tensor(prompts)
        with self._torch.inference_mode():
            self._model.generate(
                ids,
                attention_mask=self._torch.ones_like(ids),
                max_new_tokens=steps + 1,
                min_new_tokens=steps + 1,
                num_beams=num_beams,
                do_sample=False,
                pad_token_id=1,
                # Called once a step, when the logits are there.
                logits_processor=[look_at_the_clock],
            )
        return times

    def _forward(self, ids: list[int]) -> int:
        with self._torch.inference_mode():
            # As in generate: logits of the last position alone.
            result = self._model(
                self._torch.tensor([ids]), past_key_values=self._past, use_cache=True, logits_to_keep=1
            )
        self._past = result.past_key_values
        return int(result.logits[0, -1].argmax())


def _steps(model: Model, ids: list[int], steps: int) -> Mapping[str, object]:
    # A process that has just waited for its turn starts slowly: the first prefill is not measured.
    model.prefill(ids)
    start = perf_counter()
    model.prefill(ids)
    prefill = perf_counter() - start
    token, seconds = ids[-1], []
    for _ in range(steps):
        start = perf_counter()
        token = model.step(token)
        seconds.append(perf_counter() - start)
    return {"prefill": prefill, "steps": seconds}


def _search(model: Model, prompts: list[list[int]], steps: int, num_beams: int) -> Mapping[str, object]:
    model.prefill(prompts[0])
    start = perf_counter()
    times = model.search(prompts, steps, num_beams)
    return {"prefill": times[0] - start, "steps": np.diff(times).tolist()}


def _load(kind: str, source: str, threads: str) -> tuple[Mapping[str, object], Handlers]:
    model: Model
    start = perf_counter()
    if kind == "transformers":
        model = Transformers(source, int(threads))
    else:
        model = Ours(source, int(threads), prepack=kind == "prepacked")
    handlers: Handlers = {"steps": partial(_steps, model), "search": partial(_search, model)}
    return {"load_seconds": perf_counter() - start}, handlers


if __name__ == "__main__":
    serve(partial(_load, *sys.argv[1:]))
