"""A model whose calls share passes, from however many threads they come."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from biogpt_onnx.runtime.concurrency.pass_report import OnPass
from biogpt_onnx.runtime.concurrency.pass_thread import PassThread
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.engine import BioGPT

ResultT = TypeVar("ResultT")


class ConcurrentBioGPT(BioGPT):
    """A model whose calls share passes, from however many threads they come; made by `BioGPT.concurrent`.

    It does all that a `BioGPT` does. `close` ends the sharing and leaves the model that it was made of open. All passes
    run in one thread, and so do the rules and constraints that are functions of a caller's own: they must not call this
    model, which is a `ConfigError`.

    An error that is no request's own, such as a want of memory between the passes, is raised by every call that waits
    at that time. Later calls find a model that is as good as new.

    Args:
        model: the model.
        max_rows: most sequences that are continued at a time; further ones wait.
        on_pass: function that is called after each pass; see `BioGPT.concurrent`.
    """

    def __init__(self, model: BioGPT, max_rows: int, on_pass: OnPass | None = None) -> None:
        super().__init__(
            model._backend,  # noqa: SLF001 -- of this class
            model.tokenizer,
            model.manifest,
            name=model._name,  # noqa: SLF001 -- of this class
            threads=model._threads,  # noqa: SLF001 -- of this class
        )
        self._passes = PassThread(self._opened, max_rows, on_pass)

    @property
    def num_running(self) -> int:
        """Number of prompts that are being read, continued or scored."""
        return self._passes.num_running

    @property
    def num_waiting(self) -> int:
        """Number of prompts that wait for their turn."""
        return self._passes.num_waiting

    @property
    def cache_usage(self) -> float:
        """Share of the cache that is in use, from 0 to 1.

        Of `max_rows` times the model's positions it counts those that hold a token of a sequence that is being read or
        continued. Beams, drafts, choices and scores have caches of their own, which do not count. It may be read from
        any thread.
        """
        return self._passes.cache_usage

    def close(self, *, cancel: bool = False) -> None:
        """Ends the sharing once what runs and waits has ended; later calls are a `ModelClosedError`.

        Args:
            cancel: True to cancel what runs and waits first. Who generates gets the text so far, with finish reason
                "cancelled"; a choice, a score or a vector that is not ready is a `CancelledError`. Of a call with more
                prompts than are continued together, those that were not begun are a `ModelClosedError`.
        """
        self._is_closed = True
        self._passes.close(cancel=cancel)

    def _search(self, requests: Sequence[Request], config: GenerationConfig, limits: Limits) -> Iterator[None]:
        return self._passes.search(requests, config, limits)

    def _in_turn(self, work: Callable[[], ResultT]) -> ResultT:
        return self._passes.call(work)
