"""A model whose calls share passes, from however many threads they come."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from biogpt_onnx.runtime.concurrency.pass_thread import PassThread
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.engine import BioGPT

ResultT = TypeVar("ResultT")


class ConcurrentBioGPT(BioGPT):
    """A model whose calls share passes, from however many threads they come; made by `BioGPT.concurrent`.

    It does all that a `BioGPT` does. `close` ends the sharing once what runs and waits has ended, and leaves the model
    that it was made of open.

    Args:
        model: the model.
        max_rows: most sequences that are continued at a time; further ones wait.
    """

    def __init__(self, model: BioGPT, max_rows: int) -> None:
        super().__init__(
            model._backend,  # noqa: SLF001 -- of this class
            model.tokenizer,
            model.manifest,
            name=model._name,  # noqa: SLF001 -- of this class
            threads=model._threads,  # noqa: SLF001 -- of this class
        )
        self._passes = PassThread(self._opened, max_rows)

    @property
    def num_running(self) -> int:
        """Number of prompts that are being read, continued or scored."""
        return self._passes.num_running

    @property
    def num_waiting(self) -> int:
        """Number of prompts that wait for their turn."""
        return self._passes.num_waiting

    def close(self) -> None:
        """Ends the sharing once what runs and waits has ended; later calls are a `ModelClosedError`."""
        self._is_closed = True
        self._passes.close()

    def _search(self, requests: Sequence[Request], config: GenerationConfig, limits: Limits) -> Iterator[None]:
        return self._passes.search(requests, config, limits)

    def _in_turn(self, work: Callable[[], ResultT]) -> ResultT:
        return self._passes.call(work)
