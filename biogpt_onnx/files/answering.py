"""Running a task on rows: a result or an error for each, in the order of the rows."""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from biogpt_onnx.files.rows import Row
from biogpt_onnx.runtime.bulk.answering import Outcome, answer_all
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.prompts.building import Reading
from biogpt_onnx.tasks.running import RunnableTask
from biogpt_onnx.tasks.streaming.work import work_on_documents


class RowAnswering:
    """A task that is run on rows.

    Attributes:
        window: Number of rows that are read ahead.

    Args:
        task: The task.
        model: A bundle of the task.
        reading: The settings of prompt building.
        completed: Completes a document, as with a question for documents without one.
        batch_size: The most documents that are decoded together; None for what is best on the model's device.
        free: Removes the constraints on the generated text.
    """

    def __init__(  # noqa: PLR0913 -- what, by whom, and how
        self,
        task: RunnableTask[Any],
        model: BioGPT,
        reading: Reading,
        completed: Callable[[Document], Document],
        *,
        batch_size: int | None = None,
        free: bool = False,
    ) -> None:
        self._completed = completed
        self._work = work_on_documents(task, model, self._document_of, reading, batch_size=batch_size, free=free)
        self.window = self._work.limits.window

    def answers(self, rows: Iterable[Row], cancel: threading.Event | None = None) -> Iterator[tuple[Row, object]]:
        """Yields each row with its result, its error, or None for a bad row.

        Args:
            rows: The rows, which are read as they are needed.
            cancel: Event after which no further batch is begun; the rows left have a `CancelledError`.
        """
        for outcome in answer_all(self._work, rows, lambda _, __, error: error, cancel):
            yield self._answered(outcome)

    def _document_of(self, row: Row) -> Document:
        if row.document is None:
            raise DocumentError(str(row.problem))
        return self._completed(row.document)

    def _answered(self, outcome: Outcome[Row, object]) -> tuple[Row, object]:
        row = outcome.item
        if row.document is None:
            return row, None
        # Outputs that show the question show the one that was asked.
        asked = replace(row.document, question=self._completed(row.document).question)
        return replace(row, document=asked), outcome.result if outcome.error is None else outcome.error
