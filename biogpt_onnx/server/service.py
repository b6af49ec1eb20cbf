"""What the endpoints share: the model, the settings, what is let in, and what is measured."""

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from biogpt_onnx.bench.advice.processor import instruction_sets, may_have_avx512
from biogpt_onnx.runtime.bundle.batch_invariance import is_batch_invariant
from biogpt_onnx.runtime.concurrency.model import ConcurrentBioGPT
from biogpt_onnx.runtime.system import kind
from biogpt_onnx.server.admission import Admission
from biogpt_onnx.server.observation.metrics import Metrics
from biogpt_onnx.server.settings import ServerSettings
from biogpt_onnx.tasks.spec import TaskSpec

_SPARE_WORKERS = 8


class Service:
    """What the endpoints share.

    Attributes:
        model: the model, whose calls share passes.
        name: name by which requests name the model.
        settings: bounds and times.
        tasks: the tasks that are offered, by name.
        admission: what is let in.
        metrics: what is measured.
        needs_key: True if clients need keys, as the application sets it.
        workers: threads in which calls of the model wait for their passes; as many as may be let in.
        is_batch_invariant: True if no answer depends on what else is computed, to the last bit.
        created: time at which the service began, in seconds since 1970.

    Args:
        name: name of the model.
    """

    def __init__(
        self,
        model: ConcurrentBioGPT,
        name: str,
        settings: ServerSettings,
        tasks: Mapping[str, TaskSpec],
        metrics: Metrics,
    ) -> None:
        self.model, self.name, self.settings, self.tasks, self.metrics = model, name, settings, tasks, metrics
        self.needs_key = False
        self.admission = Admission(settings.capacity)
        self.workers = ThreadPoolExecutor(settings.capacity + _SPARE_WORKERS, thread_name_prefix="biogpt-call")
        # With int8-weights, for which this matters, a draft chose another token on emulated ARM64.
        has_avx512 = kind.is_arm64() or may_have_avx512(instruction_sets())
        self.is_batch_invariant = is_batch_invariant(model.manifest, has_avx512=has_avx512)
        self.created = int(time.time())
        self._cancels: set[threading.Event] = set()

    @contextmanager
    def cancelling(self, cancel: threading.Event) -> Iterator[None]:
        """Has `cancel_all` set an event while the block runs."""
        self._cancels.add(cancel)
        try:
            yield
        finally:
            self._cancels.discard(cancel)

    def cancel_all(self) -> None:
        """Ends all that is computed after the pass that is being taken."""
        for cancel in self._cancels:
            cancel.set()

    def close(self) -> None:
        """Ends the threads and the model's sharing, once what runs has ended."""
        self.workers.shutdown()
        self.model.close()
