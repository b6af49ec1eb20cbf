"""A process that has loaded a bundle and nothing else, whose memory is read from outside.

Run as `python -m benchmarks.micro.loaded_bundle BUNDLE THREADS [CACHE]`. The first line says how long loading took; the
request `{"compute": {}}` has a prompt read and a few steps made. With a cache folder its weights are shared.
"""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.full_size import random_prompt
from benchmarks.serving import Handlers, serve

PROMPT_TOKENS = 128
STEPS = 8


def _load(bundle: str, threads: str, cache: str | None = None) -> tuple[Mapping[str, object], Handlers]:
    from biogpt_onnx.runtime.backends.registry import open_backend
    from biogpt_onnx.runtime.bundle import read_manifest
    from biogpt_onnx.runtime.options import LoadOptions

    folder = Path(bundle)
    start = perf_counter()
    options = LoadOptions(
        device="cpu",
        threads=int(threads),
        share_weights=cache is not None,
        cache_folder=None if cache is None else Path(cache),
    )
    session = open_backend(folder, read_manifest(folder), options)
    seconds = perf_counter() - start
    prompt = np.array([random_prompt(PROMPT_TOKENS)])

    def compute() -> Mapping[str, object]:
        keys_and_values = session.new_cache(1, PROMPT_TOKENS + STEPS)
        logits = session.forward(prompt, keys_and_values)
        for _ in range(STEPS):
            logits = session.step(logits.argmax(axis=-1)[None], keys_and_values).logits()
        return {}

    return {"load_seconds": seconds}, {"compute": compute}


if __name__ == "__main__":
    serve(partial(_load, *sys.argv[1:]))
