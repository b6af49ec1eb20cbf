"""Answering of the documents of a work unit."""

import threading
from collections.abc import Iterator

from biogpt_onnx.corpus.results import record_of_row
from biogpt_onnx.corpus.run import Run, Unit
from biogpt_onnx.corpus.units import UnitRow
from biogpt_onnx.files.answering import RowAnswering
from biogpt_onnx.files.records import Record
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import CancelledError
from biogpt_onnx.tasks.running import check_task


class UnitAnswering:
    """The task of a run, with a model that answers its units.

    Args:
        run: The run.
        model: A bundle of the run's task.
        batch_size: The most documents that are decoded together; None for what is best on the model's device.

    Raises:
        ConfigError: The bundle is for another task.
    """

    def __init__(self, run: Run, model: BioGPT, batch_size: int | None = None) -> None:
        task, settings = run.task(), run.settings
        check_task(task, model)
        self._run = run
        self._answering = RowAnswering(
            task, model, settings.reading, settings.completed, batch_size=batch_size, free=settings.free
        )

    def records(self, unit: Unit, rows: list[UnitRow], cancel: threading.Event | None = None) -> Iterator[Record]:
        """Yields the record of each document of a unit, in order.

        Args:
            unit: The unit.
            rows: Its documents.
            cancel: Event that ends the work after the batch that is being answered.

        Raises:
            CancelledError: The event was set.
            MemoryError: The memory did not suffice, which is no property of a document: another process may have more.
        """
        answers = self._answering.answers((found.row for found in rows), cancel)
        for found, (_, result) in zip(rows, answers, strict=True):
            if isinstance(result, CancelledError):
                raise CancelledError(f"unit {unit.name} was interrupted")
            if isinstance(result, MemoryError):
                raise result
            yield record_of_row(self._run, found, result)
