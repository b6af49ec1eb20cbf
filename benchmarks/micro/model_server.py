"""Models in processes of their own, told over a pipe what to compute, so that they can be measured in turns.

Run as `python benchmarks/workers.py KIND SOURCE THREADS`, with requests and answers a JSON line each. A kind is
"prepacked" or "mapped" (of a bundle), or "transformers" (of a Hugging Face folder).
"""

import json
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple, Protocol, Self

import numpy as np


class Samples(NamedTuple):
    """Seconds of one prefill and of each step after it."""

    prefill: float
    steps: list[float]


class Model(Protocol):
    """What a worker measures."""

    def prefill(self, ids: list[int]) -> None:
        """Reads a prompt into a fresh cache and computes the logits after it."""
        ...

    def step(self, token: int) -> int:
        """Reads one token more and returns the most likely next."""
        ...

    def search(self, prompts: list[list[int]], steps: int, num_beams: int) -> list[float]:
        """Generates from prompts of equal length, one token and so many more; the time at each new token."""
        ...


class Ours:
    """A bundle, its weights rearranged while loading or used as they lie in the file."""

    def __init__(self, source: str, threads: int, *, prepack: bool) -> None:
        from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
        from biogpt_onnx.runtime.bundle import read_manifest

        folder = Path(source)
        self._session = DecoderSession(folder, read_manifest(folder), threads=threads, prepack=prepack)
        self._cache = self._session.new_cache(1, 1)

    def prefill(self, ids: list[int]) -> None:
        """See `Model`."""
        self._cache = self._session.new_cache(1, len(ids) + 64)
        self._session.forward(np.array([ids], dtype=np.int64), self._cache)

    def step(self, token: int) -> int:
        """See `Model`."""
        return int(self._session.forward(np.array([[token]], dtype=np.int64), self._cache).argmax())

    def search(self, prompts: list[list[int]], steps: int, num_beams: int) -> list[float]:
        """See `Model`."""
        from biogpt_onnx.runtime.decoding.config import GenerationConfig
        from biogpt_onnx.runtime.decoding.limits import Limits
        from biogpt_onnx.runtime.decoding.search import Request, run_search
        from biogpt_onnx.runtime.decoding.state import SequenceState

        config = GenerationConfig(max_new_tokens=steps + 1, num_beams=num_beams, eos_token_id=None)
        requests = [Request([SequenceState(tuple(ids), steps + 1, eos_token_id=None)]) for ids in prompts]
        return [perf_counter() for _ in run_search(self._session, requests, config, Limits())]


class Transformers:
    """The same weights in transformers, float32, eager attention, as its `generate` calls it."""

    def __init__(self, source: str, threads: int) -> None:
        import torch
        import transformers

        torch.set_num_threads(threads)
        self._torch = torch
        load: Any = transformers.BioGptForCausalLM.from_pretrained
        self._model = load(source, attn_implementation="eager").float().eval()
        self._past: Any = None

    def prefill(self, ids: list[int]) -> None:
        """See `Model`."""
        self._past = None
        self._forward(ids)

    def step(self, token: int) -> int:
        """See `Model`."""
        return self._forward([token])

    def search(self, prompts: list[list[int]], steps: int, num_beams: int) -> list[float]:
        """See `Model`."""
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


class Worker:
    """The other end of the pipe.

    Attributes:
        loading: seconds that loading the model took, and the process's memory afterwards, in bytes.
    """

    def __init__(self, kind: str, source: Path, threads: int) -> None:
        command = [sys.executable, __file__, kind, str(source), str(threads)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.loading = self._answer()

    def measure(self, ids: list[int], steps: int) -> Samples:
        """Has one prefill and so many steps measured."""
        return self._ask({"ids": ids, "steps": steps})

    def measure_search(self, prompts: list[list[int]], steps: int, num_beams: int) -> Samples:
        """Has a generation from prompts of equal length measured: the time to the first token, and of each step."""
        return self._ask({"prompts": prompts, "steps": steps, "num_beams": num_beams})

    def __enter__(self) -> Self:
        """The worker itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the process."""
        self._process.terminate()
        self._process.wait()

    def _ask(self, request: dict[str, Any]) -> Samples:
        if self._process.stdin is None:
            raise RuntimeError("the worker has no pipe")
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return Samples(**self._answer())

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"the worker ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _measure(model: Model, ids: list[int], steps: int) -> Samples:
    # Whoever has just waited for a turn starts slowly: the first prefill is not measured.
    model.prefill(ids)
    start = perf_counter()
    model.prefill(ids)
    prefill = perf_counter() - start
    token, seconds = ids[-1], []
    for _ in range(steps):
        start = perf_counter()
        token = model.step(token)
        seconds.append(perf_counter() - start)
    return Samples(prefill, seconds)


def _memory() -> dict[str, int]:
    """Bytes of this process that are in memory: all, and those that are nobody's file."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
    return {
        "resident_bytes": int(lines["VmRSS"].split()[0]) * 1024,
        "anonymous_bytes": int(lines["RssAnon"].split()[0]) * 1024,
    }


def _measure_search(model: Model, prompts: list[list[int]], steps: int, num_beams: int) -> Samples:
    model.prefill(prompts[0])
    start = perf_counter()
    times = model.search(prompts, steps, num_beams)
    return Samples(times[0] - start, np.diff(times).tolist())


def _serve(kind: str, source: str, threads: str) -> None:
    model: Model
    start = perf_counter()
    if kind == "transformers":
        model = Transformers(source, int(threads))
    else:
        model = Ours(source, int(threads), prepack=kind == "prepacked")
    print(json.dumps({"load_seconds": perf_counter() - start, **_memory()}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        samples = _measure_search(model, **request) if "prompts" in request else _measure(model, **request)
        print(json.dumps(samples._asdict()), flush=True)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
