"""Batches of documents of similar length, with results in the order of the input."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from biogpt_onnx.files.rows import Row
from biogpt_onnx.tasks.document import Document

ResultT = TypeVar("ResultT")


def run_in_batches(
    rows: Iterable[Row], window: int, run: Callable[[Sequence[Document]], Sequence[ResultT]], batch_size: int
) -> Iterator[tuple[Row, ResultT | None]]:
    """Runs documents in batches of similar length, the longest first, so that the rows of a batch end together.

    Args:
        rows: The input; only one window of it is in memory at a time.
        window: Number of rows that are sorted by length together.
        run: Returns one result for each document of a batch.
        batch_size: The most documents of a batch.

    Yields:
        Each row in the order of the input, with its result; None for a bad row.

    Raises:
        ValueError: The window or the batch size is below 1, or `run` returns another number of results than it was
            given documents.
    """
    if window < 1 or batch_size < 1:
        raise ValueError(f"window is {window} and batch size {batch_size}: give at least 1")
    rest = iter(rows)
    while block := list(islice(rest, window)):
        results = _results(block, run, batch_size)
        yield from ((row, results.get(place)) for place, row in enumerate(block))


def _results(
    block: Sequence[Row], run: Callable[[Sequence[Document]], Sequence[ResultT]], batch_size: int
) -> dict[int, ResultT]:
    """Returns the results of a block's documents by their place in the block."""
    documents = {place: row.document for place, row in enumerate(block) if row.document is not None}
    order = sorted(documents, key=lambda place: len(documents[place].full_text), reverse=True)
    results: dict[int, ResultT] = {}
    for start in range(0, len(order), batch_size):
        places = order[start : start + batch_size]
        results.update(zip(places, run([documents[place] for place in places]), strict=True))
    return results
