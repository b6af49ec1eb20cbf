"""BioGPT in the continuous batching of OpenVINO GenAI, which is a library and no server."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.compare.peers.protocol import versions
from benchmarks.server.loading.workload import Request
from benchmarks.server.peers.engine import Engine, serve_engine

_CACHE_GIGABYTES = 2
_TOKENS_A_PASS = 512


class OpenVinoBatching:
    """A pipeline of OpenVINO GenAI, whose prompts are read in pieces between the steps of others.

    Args:
        folder: what optimum-intel wrote.
        threads: that compute.
        rows: requests that it may run at once.
    """

    def __init__(self, folder: Path, threads: int, rows: int) -> None:
        import openvino_genai

        self._library: Any = openvino_genai
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.cache_size = _CACHE_GIGABYTES
        scheduler.max_num_seqs = rows
        scheduler.max_num_batched_tokens = _TOKENS_A_PASS
        scheduler.dynamic_split_fuse = True
        scheduler.enable_prefix_caching = False
        properties = {"INFERENCE_NUM_THREADS": threads}
        self._pipeline: Any = openvino_genai.ContinuousBatchingPipeline(str(folder), scheduler, "CPU", properties)
        self._handles: dict[int, Any] = {}
        self._left: dict[int, int] = {}

    def add(self, number: int, request: Request) -> None:
        """Takes a request on."""
        from openvino import Tensor

        settings = self._library.GenerationConfig()
        settings.max_new_tokens = request.new_tokens
        settings.ignore_eos = True
        settings.do_sample = False
        prompt = Tensor(np.array([request.prompt], dtype=np.int64))
        self._handles[number] = self._pipeline.add_request(number, prompt, settings)
        self._left[number] = request.new_tokens

    def cancel(self, number: int) -> None:
        """Gives a request up."""
        handle = self._handles.pop(number, None)
        if handle is not None:
            handle.cancel()

    def step(self) -> Sequence[tuple[int, int, bool]]:
        """Makes a pass over what the scheduler chooses."""
        self._pipeline.step()
        news = []
        for number, handle in list(self._handles.items()):
            count = 0
            while handle.can_read():
                count += sum(len(output.generated_ids) for output in handle.read().values())
            if count:
                self._left[number] -= count
                ended = self._left[number] <= 0
                news.append((number, count, ended))
                if ended:
                    del self._handles[number]
        return news


def _load_engine(folder: Path, threads: int, rows: int) -> tuple[Engine, Mapping[str, object]]:
    engine = OpenVinoBatching(folder, threads, rows)
    return engine, {"versions": versions(("openvino-genai", "openvino", "optimum-intel", "nncf"))}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--rows", type=int, required=True)
    options = parser.parse_args()
    serve_engine(lambda: _load_engine(options.model, options.threads, options.rows))
