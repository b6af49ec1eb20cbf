"""Documents of like length together, answers in the order of the questions."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from biogpt_onnx.files.item import Item
from biogpt_onnx.tasks.document import Document

ResultT = TypeVar("ResultT")


def in_length_order(
    items: Iterable[Item], window: int, run: Callable[[Sequence[Document]], Sequence[ResultT]], batch_size: int
) -> Iterator[tuple[Item, ResultT | None]]:
    """Has documents answered in batches of like length, the longest first, so that the rows of a batch end together.

    Args:
        items: what was read; no more than a window of them at a time.
        window: items that are looked at together, and how many may pass before the first of them is answered.
        run: answers a batch of documents, one result each.
        batch_size: most documents of a batch.

    Yields:
        Each item in the order in which they came, with its result; None with a bad row.

    Raises:
        ValueError: window or batch size is below 1, or `run` gives another number of results than it got documents.
    """
    if window < 1 or batch_size < 1:
        raise ValueError(f"window is {window} and batch size {batch_size}: give at least 1")
    rest = iter(items)
    while block := list(islice(rest, window)):
        results = _results(block, run, batch_size)
        yield from ((item, results.get(place)) for place, item in enumerate(block))


def _results(
    block: Sequence[Item], run: Callable[[Sequence[Document]], Sequence[ResultT]], batch_size: int
) -> dict[int, ResultT]:
    documents = {place: item.document for place, item in enumerate(block) if item.document is not None}
    order = sorted(documents, key=lambda place: len(documents[place].full_text), reverse=True)
    results: dict[int, ResultT] = {}
    for start in range(0, len(order), batch_size):
        places = order[start : start + batch_size]
        results.update(zip(places, run([documents[place] for place in places]), strict=True))
    return results
