"""The side of the protocol that answers: a JSON object a line in, a JSON object a line out.

Requests:
    {"generate": {"prompts": [[ids], ...], "new_tokens": n, "num_beams": k}}: {"seconds": [t1, ..., tn]}, when the
        first, second, ... new token of every prompt was there, counted from the request.
    {"logits": {"ids": [ids], "file": PATH}}: {"rows": r}, with float32 logits [r, vocab] of the last r positions in
        that NumPy file.
    {"memory": {}}: {"resident_bytes": n, "anonymous_bytes": n, "peak_resident_bytes": n}.

The first line tells {"load_seconds": s, "resident_bytes": n, "anonymous_bytes": n, "versions": {...}}. What cannot be
done is answered by {"unsupported": reason}, what went wrong by {"error": reason}.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol, TextIO

import numpy as np
import numpy.typing as npt


class Model(Protocol):
    """What is measured."""

    def generate(self, prompts: list[list[int]], new_tokens: int, num_beams: int) -> list[float]:
        """Continues prompts of equal length; the clock when the first, second, ... new token of all was there."""
        ...

    def logits(self, ids: list[int]) -> npt.NDArray[np.float32]:
        """The logits after each token, [tokens, vocab]."""
        ...


def serve(model: Model, first: Mapping[str, Any], requests: TextIO = sys.stdin, answers: TextIO = sys.stdout) -> None:
    """Says the first line, then answers requests until there are no more."""
    _say(answers, {**memory(), **first})
    for line in requests:
        start = perf_counter()
        try:
            answer = _answer(model, json.loads(line), start)
        except Exception as error:  # noqa: BLE001 -- whoever asks is told, and may go on
            answer = {"error": " ".join(f"{type(error).__name__}: {error}".split())}
        _say(answers, answer)


def memory() -> dict[str, int]:
    """Bytes of this process in memory: all, those that no file stands behind, and the most that there ever were.

    Only Linux says so; elsewhere they are 0.
    """
    path = Path("/proc/self/status")
    lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
    fields = dict(line.split(":", 1) for line in lines)
    names = {"resident_bytes": "VmRSS", "anonymous_bytes": "RssAnon", "peak_resident_bytes": "VmHWM"}
    return {name: int(fields.get(field, "0 kB").split()[0]) * 1024 for name, field in names.items()}


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
    raise ValueError(f"no request is called {name!r}")


def _say(answers: TextIO, answer: Mapping[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
