"""Runs a task on every row of a file: results in the order of the rows, an error for each row without a result."""

import argparse
import dataclasses
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from biogpt_onnx.cli.arguments.entities import FileCensus
from biogpt_onnx.cli.arguments.inputs import Input, task_input
from biogpt_onnx.cli.arguments.outputs import output_file
from biogpt_onnx.cli.interruption import noting_interruption
from biogpt_onnx.cli.progress import Progress
from biogpt_onnx.files.answering import RowAnswering
from biogpt_onnx.files.formats import STANDARD_INPUT
from biogpt_onnx.files.opening.source import is_stream
from biogpt_onnx.files.output import Results, open_results
from biogpt_onnx.files.reading import read_documents
from biogpt_onnx.files.records import OutputFormat, WholeFile
from biogpt_onnx.files.rows import Row
from biogpt_onnx.files.text.json_lines import JsonLines
from biogpt_onnx.runtime.bundle import hash_file
from biogpt_onnx.runtime.bundle.batch_invariance import is_batch_invariant
from biogpt_onnx.runtime.bundle.target import refuse_inputs, refuse_inside
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import BioGptError, MemoryLimitError
from biogpt_onnx.tasks import Document, Reading, RunnableTask
from biogpt_onnx.tasks.definitions.identity import task_identity
from biogpt_onnx.tasks.definitions.reading import SUFFIX

_READ = ("file", "bundle", "labels", "lexicon")
"""The options that name what is read."""

_JSON_LINES = JsonLines()


def answer_rows(  # noqa: PLR0913 -- what, by whom, where to, and how
    options: argparse.Namespace,
    task: RunnableTask[Any],
    model: BioGPT,
    reading: Reading,
    output_format: OutputFormat | WholeFile = _JSON_LINES,
    *,
    completed: Callable[[Document], Document] = lambda document: document,
    census: FileCensus | None = None,
) -> int:
    """Runs a task on all rows of the input file and writes the results; standard error names rows without a result.

    Args:
        options: The command's options.
        task: The task.
        model: A bundle of the task.
        reading: The settings of prompt building.
        output_format: The form of the results.
        completed: Completes a document with the command's options.
        census: Counts the types of the given entities; None for none.

    Returns:
        The exit code: 1 if some rows have no result, else 0.

    Raises:
        MemoryLimitError: There was no memory for a row. The results of the blocks before it are kept.
    """
    output = output_file(options)
    if output is not None:
        refuse_inputs(output, _read_paths(options, [name for name in _READ if name != "file"]))
        refuse_inside(output, [options.bundle])
    source = task_input(options)
    counted = census.counted if census is not None else iter
    from_stream = is_stream(source.name)
    total = 0 if from_stream else sum(1 for _ in counted(_rows(source)))
    if census is not None and not from_stream:
        census.warn()
    # The first row is read here, so that a bad file is refused before any output is opened.
    rows = _rows(source)
    if from_stream:
        rows = iter(counted(rows))
    runner = _Runner(RowAnswering(task, model, reading, completed, batch_size=options.batch_size, free=options.free))
    with (
        open_results(
            output_file(options),
            output_format,
            _identity(options, source, task, model, reading),
            inputs=_read_paths(options, _READ),
            # Nothing proves that another stream has the same content.
            restart=options.restart or from_stream,
            overwrite=options.overwrite,
        ) as results,
        noting_interruption(lambda: _how_to_go_on(results, runner.done, from_stream=from_stream)),
        Progress(task.name, estimate=True) as progress,
    ):
        if results.done != total:
            # A block that a crash or a full disk has torn is answered anew, so that rows stand in the batches of an
            # undisturbed run: with some recipes their results depend on these.
            results.keep(results.done - results.done % runner.window)
        runner.done, runner.failed = results.done, results.failed
        results.skip_done(rows)
        for block in runner.blocks(rows):
            _refuse_without_memory(block, _how_to_go_on(results, runner.done, from_stream=from_stream))
            results.add(block)
            runner.report(block)
            progress(runner.done, total or None)
        results.finish()
    if census is not None and from_stream:
        census.warn()
    if not runner.done:
        name = "standard input" if source.name == STANDARD_INPUT else source.name
        _warn(f"{name} holds no document, so that there is no result")
    return 1 if runner.failed else 0


def _read_paths(options: argparse.Namespace, names: Iterable[str]) -> list[Path]:
    """Returns the paths that options name, and that of the file that defines the task."""
    found = [Path(path) for name in names if (path := getattr(options, name, None)) is not None]
    task = getattr(options, "task", None)
    return [*found, Path(task)] if task is not None and task.lower().endswith(SUFFIX) else found


def _how_to_go_on(results: Results, done: int, *, from_stream: bool) -> str | None:
    """Returns the note about the results of an interrupted run; None where there are none yet."""
    if not done:
        return None
    if results.journal is None:
        return f"{done:,} results are written; with -o FILE, an interrupted run on a file goes on where it was"
    if from_stream:
        return "a run on standard input cannot go on where it was, and begins anew; one on a file can"
    return f"{done:,} results are kept in {results.journal}: the same command goes on behind them"


def _refuse_without_memory(block: Iterable[tuple[Row, object]], kept: str | None) -> None:
    """Ends the run if there was no memory for a row, which is no property of its document: later there may be more.

    Args:
        block: Rows with their results or errors.
        kept: The note about the results so far.
    """
    for row, result in block:
        if isinstance(result, MemoryError):
            note = "" if kept is None else f"; {kept}"
            raise MemoryLimitError(
                f"line {row.line}: {result}. Less is needed with --batch-size 1, or with --max-positions, beyond which "
                f"a document is too long (see --too-long){note}"
            ) from result


def _rows(source: Input) -> Iterator[Row]:
    return read_documents(source.name, source.format, source.columns)


class _Runner:
    """Runs a task on rows, block by block.

    Attributes:
        window: Number of rows of a block, but for the last one.
        done: Number of rows that are written so far.
        failed: Number of rows without a result so far.
    """

    def __init__(self, answering: RowAnswering) -> None:
        self.window = answering.window
        self.done, self.failed = 0, 0
        self._answering = answering

    def blocks(self, rows: Iterable[Row]) -> Iterator[list[tuple[Row, object]]]:
        """Yields blocks of rows, each row with a result, an error, or None for a bad row."""
        answers = self._answering.answers(rows)
        while block := list(islice(answers, self.window)):
            yield block

    def report(self, block: Sequence[tuple[Row, object]]) -> None:
        """Counts the rows that are written, and names those without a result on standard error."""
        self.done += len(block)
        for row, result in block:
            problem = row.problem if row.document is None else result
            if isinstance(problem, str | BioGptError):
                self.failed += 1
                _warn(f"line {row.line}: {problem}")


def _warn(message: str) -> None:
    with suppress(OSError):
        print(f"warning: {message}", file=sys.stderr, flush=True)


def _identity(
    options: argparse.Namespace, source: Input, task: RunnableTask[Any], model: BioGPT, reading: Reading
) -> Mapping[str, Any]:
    """Returns everything that determines the results."""
    return {
        "input": STANDARD_INPUT if is_stream(source.name) else hash_file(Path(source.name)),
        "format": source.format,
        "fields": dataclasses.asdict(source.columns),
        "bundle": model.bundle_digest.removeprefix("sha256:"),
        "task": {"name": task.name} | task_identity(task),
        "too_long": reading.too_long,
        "window_tokens": reading.window_tokens,
        "max_source_tokens": reading.max_source_tokens,
        "normalize_punctuation": reading.normalize_punctuation,
        "free": options.free,
        "question": getattr(options, "question", None),
        "entity_types": getattr(options, "entity_type", []),
        **_batches(options, model),
    }


def _batches(options: argparse.Namespace, model: BioGPT) -> Mapping[str, Any]:
    """Returns the settings of batches, unless it is certain that no result depends on them."""
    # The processor that goes on may be another one than that which began.
    if model.device == "cpu" and is_batch_invariant(model.manifest, has_avx512=True):
        return {}
    return {"device": model.device, "batch_size": options.batch_size}
