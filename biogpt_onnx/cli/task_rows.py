"""Has every row of a file answered, in order, whatever becomes of single rows."""

import argparse
import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from biogpt_onnx.cli.progress import Progress
from biogpt_onnx.files.columns import Columns
from biogpt_onnx.files.formats import STANDARD_INPUT
from biogpt_onnx.files.item import Item
from biogpt_onnx.files.json_lines import JsonLines
from biogpt_onnx.files.ordering import in_length_order
from biogpt_onnx.files.output import open_results
from biogpt_onnx.files.reading import read_documents
from biogpt_onnx.files.records import OutputFormat
from biogpt_onnx.runtime.bundle import hash_file
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import BioGptError
from biogpt_onnx.tasks import Document, Prepared, Reading, RunnableTask, prepare_for

# What an interruption costs at most, in batches.
_BATCHES_AT_ONCE = 4

_JSON_LINES = JsonLines()


def answer_rows(  # noqa: PLR0913 -- what, by whom, where to, and how
    options: argparse.Namespace,
    task: RunnableTask[Any],
    model: BioGPT,
    reads: Reading,
    output_format: OutputFormat = _JSON_LINES,
    *,
    completed: Callable[[Document], Document] = lambda document: document,
) -> int:
    """Answers all rows; 1 where some had no answer, which standard error then names.

    Args:
        options: of the command.
        task: what is done.
        model: by whom.
        reads: how documents become prompts.
        output_format: the form of the results.
        completed: adds to a document what the command line says about all.
    """
    is_stream = _is_stream(options.file)
    total = 0 if is_stream else sum(1 for _ in _items(options))
    items = _items(options)
    rows = _Rows(options, task, model, reads, completed)
    with (
        open_results(
            options.output,
            output_format,
            _identity(options, task, model, reads),
            # Nothing shows that another stream is the same.
            restart=options.restart or is_stream,
            overwrite=options.overwrite,
        ) as results,
        Progress(task.name, estimate=True) as progress,
    ):
        done, rows.failed = results.done, results.failed
        for block in rows.answered(islice(items, done, None)):
            results.add(block)
            rows.report(block)
            done += len(block)
            if total:
                progress(done, total)
        results.finish()
    return 1 if rows.failed else 0


def _is_stream(name: str) -> bool:
    """Whether it can be read but once: standard input, or a pipe under a name of its own."""
    return name == STANDARD_INPUT or not Path(name).is_file()


def _items(options: argparse.Namespace) -> Iterator[Item]:
    given = getattr(options, "given_entities", False)
    return read_documents(options.file, options.format, Columns(entities="entities" if given else None))


class _Rows:
    """Answers rows in blocks.

    Attributes:
        failed: rows that had no answer.
    """

    def __init__(
        self,
        options: argparse.Namespace,
        task: RunnableTask[Any],
        model: BioGPT,
        reads: Reading,
        completed: Callable[[Document], Document],
    ) -> None:
        self.failed = 0
        self._batch_size, self._free = options.batch_size, options.free
        self._task, self._model, self._reads, self._completed = task, model, reads, completed

    def answered(self, items: Iterable[Item]) -> Iterator[list[tuple[Item, object]]]:
        """Blocks of rows with their results, each a result, an error, or None for a bad row."""
        window = self._batch_size * _BATCHES_AT_ONCE
        pairs = in_length_order(items, window, self._run, self._batch_size)
        while block := list(islice(pairs, window)):
            yield [(item, result) for item, result in block]

    def report(self, block: Sequence[tuple[Item, object]]) -> None:
        """Names the rows that have no answer."""
        for item, result in block:
            problem = item.problem if item.document is None else result
            if isinstance(problem, str | BioGptError):
                self.failed += 1
                with suppress(OSError):
                    print(f"warning: line {item.line}: {problem}", file=sys.stderr, flush=True)

    def _run(self, documents: Sequence[Document]) -> list[object]:
        ready = [self._prepared(document) for document in documents]
        good = [one for one in ready if isinstance(one, Prepared)]
        answers = iter(self._answers(good))
        return [next(answers) if isinstance(one, Prepared) else one for one in ready]

    def _prepared(self, document: Document) -> Prepared | BioGptError:
        try:
            return prepare_for(self._task, self._model, self._completed(document), self._reads)
        except BioGptError as error:
            return error

    def _answers(self, good: Sequence[Prepared]) -> Sequence[object]:
        if not good:
            return []
        try:
            return self._task.answer(self._model, good, free=self._free)
        except BioGptError as error:
            if len(good) == 1:
                return [error]
            # One of them is to blame, or all together are too large; the others must not suffer for it.
            half = len(good) // 2
            return [*self._answers(good[:half]), *self._answers(good[half:])]


def _identity(options: argparse.Namespace, task: RunnableTask[Any], model: BioGPT, reads: Reading) -> Mapping[str, Any]:
    """What determines the results."""
    return {
        "input": STANDARD_INPUT if _is_stream(options.file) else hash_file(Path(options.file)),
        "bundle": hashlib.sha256(model.manifest.to_json().encode()).hexdigest(),
        "task": task.name,
        "labels": list(getattr(task, "labels", ())),
        "decoding": repr(getattr(task, "config", None)),
        "too_long": reads.too_long,
        "normalize_punctuation": reads.normalize_punctuation,
        "free": options.free,
        "question": getattr(options, "question", None),
        "given_entities": getattr(options, "given_entities", False),
    }
