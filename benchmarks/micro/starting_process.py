"""A fresh process that notes when each part of its start-up ended: the first token of a prompt of 16.

Run as `python -m benchmarks.micro.starting_process STARTED BUNDLE THREADS [CACHE]`, STARTED being the value of the
parent's `perf_counter`, which all processes of a system share on Linux. Prints one JSON object.
"""

from time import perf_counter

PROMPT_TOKENS = 16
LONG_PROMPT_TOKENS, LONG_NEW_TOKENS = 128, 32


def _memory() -> dict[str, int]:
    from pathlib import Path

    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
    fields = {"resident_bytes": "VmRSS", "anonymous_bytes": "RssAnon"}
    return {name: int(lines[field].split()[0]) * 1024 for name, field in fields.items()}


def _main(interpreter: float) -> None:
    import sys
    from typing import Any

    ends = {"interpreter": interpreter}
    import numpy  # noqa: ICN001, F401 -- for the time that it takes

    ends["numpy"] = perf_counter()
    from biogpt_onnx import load

    ends["package"] = perf_counter()
    from biogpt_onnx.runtime import loading
    from biogpt_onnx.runtime.ort.providers import import_onnxruntime

    onnxruntime: Any = import_onnxruntime()
    ends["onnxruntime"] = perf_counter()
    open_session: Any = onnxruntime.InferenceSession
    open_tokenizer: Any = loading.open_tokenizer
    beside: dict[str, float] = {}

    def timed_session(*arguments: object, **options: object) -> object:
        ends["manifest"] = perf_counter()
        session = open_session(*arguments, **options)
        ends["session"] = perf_counter()
        return session

    def timed_tokenizer(*arguments: object) -> object:
        start = perf_counter()
        tokenizer = open_tokenizer(*arguments)
        beside["tokenizer"] = perf_counter() - start
        return tokenizer

    onnxruntime.InferenceSession = timed_session
    vars(loading)["open_tokenizer"] = timed_tokenizer
    started, bundle, threads, *cache = sys.argv[1:]
    sharing: dict[str, Any] = {"share_weights": True, "cache_folder": cache[0]} if cache else {}
    model = load(bundle, device="cpu", threads=int(threads), warm_up=False, **sharing)
    ends["joined"] = perf_counter()
    words = range(4, min(model.tokenizer.vocab_size, 42_000))
    prompt = [2, *(words[number * 997 % len(words)] for number in range(LONG_PROMPT_TOKENS - 1))]
    model.generate_ids([prompt[:PROMPT_TOKENS]], max_new_tokens=1, eos_token_id=None)
    ends["first pass"] = perf_counter()
    loaded = _memory()
    model.generate_ids([prompt], max_new_tokens=LONG_NEW_TOKENS, eos_token_id=None)

    import json

    times = [float(started), *ends.values()]
    parts = {name: after - before for name, before, after in zip(ends, times, times[1:], strict=False)}
    total = ends["first pass"] - times[0]
    memory = {"after the first token": loaded, "after 128 and 32 tokens": _memory()}
    print(json.dumps({"total": total, "parts": parts, "beside": beside, "memory": memory}))


if __name__ == "__main__":
    _main(perf_counter())
