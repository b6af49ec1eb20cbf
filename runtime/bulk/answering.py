"""Answering of many items: batches within a window that is read ahead, a result or an error for each, in order."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from biogpt_onnx.runtime.bulk.batches import BatchLimits, Size, batches_by_length
from biogpt_onnx.runtime.errors import BioGptError, CancelledError

ItemT = TypeVar("ItemT")
ReadyT = TypeVar("ReadyT")
ResultT = TypeVar("ResultT")

Failure = Callable[[int, ItemT, Exception], Exception]
"""Takes the index of an item, the item and its error; returns the error that stands in its place, or raises it."""


@dataclass(frozen=True)
class Work(Generic[ItemT, ReadyT, ResultT]):
    """The work to be done on each of many items.

    Attributes:
        prepare: makes what is answered of an item, which it is given with its index.
        size: returns the size of what was prepared.
        answer: returns a result for each of a batch; where it raises, the batch is divided to find the item at fault.
        limits: the most that a batch takes.
        caught: errors of `prepare` and `answer` that are an item's own; others end the work.
        is_divisible: whether a batch for which there is no memory is answered in parts; see `is_divisible`.
    """

    prepare: Callable[[int, ItemT], ReadyT]
    size: Callable[[ReadyT], Size]
    answer: Callable[[Sequence[ReadyT]], Sequence[ResultT]]
    limits: BatchLimits
    caught: type[Exception] = BioGptError
    is_divisible: bool = True


def one_by_one(prepare: Callable[[ItemT], ReadyT], answer: Callable[[ReadyT], ResultT]) -> Work[ItemT, ReadyT, ResultT]:
    """Returns the work that answers each item by itself."""
    return Work(
        lambda _, item: prepare(item),
        size=lambda _: Size(1, 1),
        answer=lambda batch: [answer(one) for one in batch],
        limits=BatchLimits(items=1, tokens=1),
    )


@dataclass(frozen=True)
class Outcome(Generic[ItemT, ResultT]):
    """What came of one item.

    Attributes:
        index: number of the item, from 0.
        item: the item.
        result: its result; None if there is none.
        error: reason why there is none; else None.
    """

    index: int
    item: ItemT
    result: ResultT | None = None
    error: Exception | None = None


def answer_all(
    work: Work[ItemT, ReadyT, ResultT],
    items: Iterable[ItemT],
    failure: Failure[ItemT],
    cancel: threading.Event | None = None,
    *,
    up_to_first_error: bool = False,
) -> Iterator[Outcome[ItemT, ResultT]]:
    """Yields what comes of each item, in order; no more than a window of items is in memory.

    Args:
        work: the work to be done on each.
        items: the items, which are read window by window.
        failure: takes each error as it is found: where it raises, the work ends there.
        cancel: event after which no further batch is begun; the items without a result then have a `CancelledError`.
        up_to_first_error: True for a caller that reads no further than the first error: what is known to come after it
            is not answered.
    """
    source, first = iter(items), 0
    while window := list(islice(source, work.limits.window)):
        yield from _Window(work, window, first, failure, cancel, up_to_first_error).outcomes()
        first += len(window)


class _Window(Generic[ItemT, ReadyT, ResultT]):
    def __init__(  # noqa: PLR0913, PLR0917 -- the arguments of `answer_all`
        self,
        work: Work[ItemT, ReadyT, ResultT],
        items: Sequence[ItemT],
        first: int,
        failure: Failure[ItemT],
        cancel: threading.Event | None,
        up_to_first_error: bool,  # noqa: FBT001 -- of this module alone
    ) -> None:
        self._up_to_first_error = up_to_first_error
        self._work, self._items, self._first, self._failure, self._cancel = work, items, first, failure, cancel
        self._done: dict[int, Outcome[ItemT, ResultT]] = {}

    def outcomes(self) -> Iterator[Outcome[ItemT, ResultT]]:
        ready = self._prepared()
        places = list(ready)
        sizes = [self._work.size(ready[place]) for place in places]
        batches = [[places[number] for number in batch] for batch in batches_by_length(sizes, self._work.limits)]
        shown = 0
        for batch in [[], *batches]:
            if self._is_cancelled:
                for place in batch:
                    self._fail(place, _cancelled())
            elif batch:
                self._answer(batch, ready)
            for place in batch:
                # What was prepared takes memory of its own.
                del ready[place]
            while shown in self._done:
                yield self._done.pop(shown)
                shown += 1

    @property
    def _is_cancelled(self) -> bool:
        return self._cancel is not None and self._cancel.is_set()

    def _prepared(self) -> dict[int, ReadyT]:
        ready = {}
        for place, item in enumerate(self._items):
            try:
                if self._is_cancelled:
                    raise _cancelled()
                ready[place] = self._work.prepare(self._first + place, item)
            except self._work.caught as error:
                self._fail(place, error)
                if self._up_to_first_error:
                    break
        return ready

    def _answer(self, places: Sequence[int], ready: dict[int, ReadyT]) -> None:
        try:
            results = self._work.answer([ready[place] for place in places])
        except self._work.caught as error:
            if len(places) == 1 or (isinstance(error, MemoryError) and not self._work.is_divisible):
                for place in places:
                    self._fail(place, error)
                return
        else:
            for place, result in zip(places, results, strict=True):
                self._done[place] = Outcome(self._first + place, self._items[place], result)
            return
        # One item causes the error, or all together are too large: the others still get their results.
        half = len(places) // 2
        self._answer(places[:half], ready)
        self._answer(places[half:], ready)

    def _fail(self, place: int, error: Exception) -> None:
        index, item = self._first + place, self._items[place]
        self._done[place] = Outcome(index, item, error=self._failure(index, item, error))


def _cancelled() -> CancelledError:
    return CancelledError("cancelled before its turn")
