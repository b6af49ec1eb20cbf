"""The runtime without a server, on the same bundle: `python -m benchmarks.server.in_process BUNDLE --threads N`.

A process of its own that answers requests for times, so that it takes turns with the servers. All texts of a request
are of one length.
"""

import argparse
import itertools
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import biogpt_onnx
from benchmarks.server.loading.workload import KINDS, requests
from benchmarks.server.process_usage import usage
from benchmarks.serving import Handlers, serve
from biogpt_onnx.runtime.engine import BioGPT


class Runtime:
    """A loaded model, asked for times.

    Args:
        model: loaded.
    """

    def __init__(self, model: BioGPT) -> None:
        self._model = model

    def texts(self, kind: str, count: int, new_tokens: int | None = None, *, together: bool) -> Mapping[str, object]:
        """Writes texts and returns the seconds that they took together.

        Args:
            kind: of the requests.
            count: how many texts.
            new_tokens: that each gets; by default as many as the kind has.
            together: in one call, or in one call after the other.
        """
        prompts = [request.prompt for request in itertools.islice(requests(KINDS[kind]), count)]
        wanted = new_tokens or KINDS[kind].new_tokens[1]
        began = time.perf_counter()
        for batch in [prompts] if together else [[prompt] for prompt in prompts]:
            self._model.generate_ids(batch, max_new_tokens=wanted, eos_token_id=None)
        return {"seconds": time.perf_counter() - began}

    def called(self, kind: str, count: int, callers: int) -> Mapping[str, object]:
        """Has texts written for callers that share the model's passes, as the server does; returns their seconds.

        Args:
            kind: of the requests.
            count: how many texts.
            callers: threads that ask for one text after the other, and rows at most.
        """
        prompts = [request.prompt for request in itertools.islice(requests(KINDS[kind]), count)]
        wanted = KINDS[kind].new_tokens[1]
        with self._model.concurrent(max_rows=callers) as shared, ThreadPoolExecutor(callers) as threads:
            began = time.perf_counter()
            list(
                threads.map(
                    lambda prompt: shared.generate_ids([prompt], max_new_tokens=wanted, eos_token_id=None), prompts
                )
            )
            return {"seconds": time.perf_counter() - began}


def _load(bundle: Path, threads: int) -> tuple[Mapping[str, object], Handlers]:
    model = biogpt_onnx.load(bundle, device="cpu", threads=threads, mixed_passes=True)
    runtime = Runtime(model)
    return {}, {"texts": runtime.texts, "called": runtime.called, "usage": usage}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    serve(lambda: _load(options.bundle, options.threads))
