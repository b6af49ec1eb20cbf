"""Protocol between the benchmark and a contender, and the contender's side of it: JSON objects, one a line each way.

Requests:
    {"generate": {"prompts": [[ids], ...], "new_tokens": n, "num_beams": k}}: {"seconds": [t1, ..., tn]}, when the
        first, second, ... new token of every prompt was there, counted from the request.
    {"logits": {"ids": [ids], "file": PATH}}: {"rows": r}, with float32 logits [r, vocab] of the last r positions in
        that NumPy file.
    {"settle": {}}: {}, once nothing runs any more that loading began beside the answers.
    {"memory": {}}: {"resident_bytes": n, "anonymous_bytes": n, "peak_resident_bytes": n}.

The contender's first line is {"load_seconds": s, "resident_bytes": n, "anonymous_bytes": n, "versions": {...},
"settles": true}, without the last one if it cannot answer the request "settle". It answers {"unsupported": reason} to a
request that it cannot serve, and {"error": reason} where it fails.
"""

import json
import sys
from collections.abc import Mapping
from time import perf_counter
from typing import Any, Protocol, TextIO, runtime_checkable

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.system.memory import process_memory


class Model(Protocol):
    """A loaded model that can be measured."""

    def generate(self, prompts: list[list[int]], new_tokens: int, num_beams: int) -> list[float]:
        """Continues prompts by exactly so many tokens.

        Args:
            prompts: token ids, all of equal length.
            new_tokens: tokens to generate for each.
            num_beams: beams; 1 is greedy search.

        Returns:
            The values of `perf_counter` when the first, second, ... new token of all prompts was there.
        """
        ...

    def logits(self, ids: list[int]) -> npt.NDArray[np.float32]:
        """Computes the logits after each token, [tokens, vocab]."""
        ...


@runtime_checkable
class SettlingModel(Protocol):
    """A model whose loading goes on beside its first answers."""

    def settle(self) -> None:
        """Waits until loading has ended altogether."""
        ...


def serve(model: Model, first: Mapping[str, Any], requests: TextIO = sys.stdin, answers: TextIO = sys.stdout) -> None:
    """Writes the first line, then answers requests until there are no more.

    Args:
        model: the model that is measured.
        first: fields of the first line, beside the process's memory.
        requests: a JSON object a line.
        answers: receives a JSON object a line.
    """
    _write(answers, {**memory(), "settles": isinstance(model, SettlingModel), **first})
    for line in requests:
        start = perf_counter()
        try:
            answer = _answer(model, json.loads(line), start)
        except Exception as error:  # noqa: BLE001 -- the benchmark is told, and may go on
            answer = {"error": " ".join(f"{type(error).__name__}: {error}".split())}
        _write(answers, answer)


def memory() -> dict[str, int]:
    """Returns the resident, the anonymous (not backed by a file) and the peak resident bytes of this process.

    They are known on Linux alone; elsewhere they are 0.
    """
    fields = process_memory()
    names = {"resident_bytes": "VmRSS", "anonymous_bytes": "RssAnon", "peak_resident_bytes": "VmHWM"}
    return {name: fields.get(field, 0) for name, field in names.items()}


def _answer(model: Model, request: dict[str, Any], start: float) -> dict[str, Any]:
    ((name, arguments),) = request.items()
    if name == "memory":
        return memory()
    if name == "logits":
        logits = np.ascontiguousarray(model.logits(arguments["ids"]), dtype=np.float32)
        np.save(arguments["file"], logits)
        return {"rows": len(logits)}
    if name == "generate":
        times = model.generate(**arguments)
        return {"seconds": [time - start for time in times]}
    if name == "settle" and isinstance(model, SettlingModel):
        model.settle()
        return {}
    raise ValueError(f"no request is called {name!r}")


def _write(answers: TextIO, answer: Mapping[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
