"""BioGPT in what `transformers serve` runs: `generate` for one request at a time, or its continuous batching.

The server itself cannot be loaded: its /v1/completions takes texts and no token ids.
"""

import argparse
import asyncio
import contextlib
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.compare.peers.protocol import PAD_ID, versions
from benchmarks.server.loading.load import Ask, RequestError, Tick
from benchmarks.server.loading.workload import Request
from benchmarks.server.peers.engine import Engine, Stepper, handlers
from benchmarks.serving import Handlers, serve

_PAGE_TOKENS = 256
_LONGEST = 1024
_TOKENS_A_PASS = 512
_WAIT_SECONDS = 0.01
_NO_TOKEN = -1


class TransformersBatching:
    """The continuous batching of transformers.

    Args:
        model: loaded.
        rows: requests that it may run at once.
    """

    def __init__(self, model: Any, rows: int) -> None:  # noqa: ANN401 -- of a library that is imported late
        from transformers import ContinuousBatchingConfig, GenerationConfig

        generation: Any = GenerationConfig
        settings = generation(do_sample=False, eos_token_id=_NO_TOKEN, pad_token_id=PAD_ID)
        batching = ContinuousBatchingConfig(
            page_size=_PAGE_TOKENS,
            # By default it takes nearly all memory that is free, and fills it before it starts.
            num_blocks=rows * _LONGEST // _PAGE_TOKENS,
            max_batch_tokens=_TOKENS_A_PASS,
            max_requests_per_batch=rows,
            allow_block_sharing=False,
        )
        self._manager: Any = model.init_continuous_batching(
            generation_config=settings, continuous_batching_config=batching
        )
        self._manager.start()
        self._told: dict[str, int] = {}

    def add(self, number: int, request: Request) -> None:
        """Takes a request on."""
        name = str(number)
        self._told[name] = 0
        self._manager.add_request(request.prompt, request_id=name, max_new_tokens=request.new_tokens, streaming=True)

    def cancel(self, number: int) -> None:
        """Gives a request up."""
        if self._told.pop(str(number), None) is not None:
            self._manager.cancel_request(str(number))

    def step(self) -> Sequence[tuple[int, int, bool]]:
        """Waits for what the manager's own thread has computed."""
        news = []
        result = self._manager.get_result(timeout=_WAIT_SECONDS)
        while result is not None:
            name = result.request_id
            if name in self._told:
                if result.error:
                    raise RuntimeError(result.error)
                count = len(result.generated_tokens) - self._told[name]
                self._told[name] += count
                ended = bool(result.is_finished())
                news.append((int(name), count, ended))
                if ended:
                    del self._told[name]
            result = self._manager.get_result(timeout=0)
        return news


def one_at_a_time(model: Any) -> Ask:  # noqa: ANN401 -- of a library that is imported late
    """Returns what asks `generate`, which runs for one request at a time; the others wait."""
    lock = ThreadPoolExecutor(1)

    async def ask(request: Request, tick: Tick) -> int:
        loop = asyncio.get_running_loop()
        left = threading.Event()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(lambda: None if left.is_set() else tick(1))

        try:
            return await loop.run_in_executor(lock, _generate, model, request, tell, left)
        except asyncio.CancelledError:
            left.set()
            raise
        except Exception as error:
            raise RequestError(f"{type(error).__name__}: {error}") from error

    return ask


def _generate(model: Any, request: Request, tell: Any, left: threading.Event) -> int:  # noqa: ANN401 -- as above
    import torch

    if left.is_set():
        return 0

    def look(_ids: object, logits: object) -> object:
        tell()
        return logits

    def stop(ids: Any, _scores: object, **_: object) -> Any:  # noqa: ANN401 -- tensors
        return torch.full((len(ids),), left.is_set())

    ids = torch.tensor([request.prompt])
    with torch.inference_mode():
        output = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=request.new_tokens,
            min_new_tokens=request.new_tokens,
            do_sample=False,
            pad_token_id=PAD_ID,
            logits_processor=[look],
            stopping_criteria=[stop],
        )
    return int(output.shape[1]) - len(request.prompt)


def _load(folder: Path, threads: int, rows: int, variant: str) -> tuple[Mapping[str, object], Handlers]:
    import torch
    import transformers

    torch.set_num_threads(threads)
    load: Any = transformers.BioGptForCausalLM.from_pretrained
    model = load(folder, dtype=torch.bfloat16, attn_implementation="sdpa").eval()
    first = {"versions": versions(("transformers", "torch"))}
    if variant == "generate":
        return first, handlers(one_at_a_time(model))
    engine: Engine = TransformersBatching(model, rows)
    return first, handlers(Stepper(engine).ask)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--variant", choices=["generate", "batching"], required=True)
    options = parser.parse_args()
    serve(lambda: _load(options.model, options.threads, options.rows, options.variant))
