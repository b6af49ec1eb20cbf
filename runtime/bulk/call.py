"""Calls that take one item or any number of them: their items, their errors and their progress."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import Any, Generic, Literal, TypeVar, get_args

from biogpt_onnx.runtime.bulk.answering import Work, answer_all
from biogpt_onnx.runtime.bulk.progress import ProgressLine
from biogpt_onnx.runtime.errors import BioGptError, ConfigError, PromptError

ResultT = TypeVar("ResultT")

OnError = Literal["raise", "return"]
"""Handling of an item that has no result: "raise" ends the call, "return" puts the error in the result's place."""

Progress = bool | Callable[[int, int | None], None]
"""Report of the progress: True for a line on standard error where that is a terminal, False for none; or a function
that takes the number of items that are done, and that of all, None if that is not known."""


def check_on_error(on_error: object) -> None:
    """Refuses an unknown handling of errors.

    Raises:
        ConfigError: there is no such handling.
    """
    if not isinstance(on_error, str) or on_error not in get_args(OnError):
        raise ConfigError(f'on_error is {on_error!r}: give "raise" or "return"')


def check_cancel(cancel: object) -> None:
    """Refuses what is no event.

    Raises:
        ConfigError: `cancel` is neither an event nor None.
    """
    if cancel is not None and not callable(getattr(cancel, "is_set", None)):
        raise ConfigError(f"cancel is of type {type(cancel).__name__}: give a threading.Event")


def check_progress(progress: object) -> None:
    """Refuses what is no report of the progress.

    Raises:
        ConfigError: `progress` is neither a flag nor a function.
    """
    if not isinstance(progress, bool) and (isinstance(progress, type) or not callable(progress)):
        raise ConfigError(f"progress is {progress!r}: give True, False or a function")


def iterable_of(name: str, items: object) -> Iterable[Any]:
    """Returns items after checking that they can be read one after the other, in an order.

    Args:
        name: name of the items in an error.
        items: items that the caller gave.

    Raises:
        PromptError: they cannot, or they are the characters of a string.
    """
    if isinstance(items, str | bytes | bytearray | memoryview | Mapping | AbstractSet):
        raise PromptError(f"{name} are of type {type(items).__name__}: give a list, or another iterable in order")
    try:
        iter(items)  # type: ignore[call-overload]  # that is what is asked
    except TypeError:
        raise PromptError(f"{name} are of type {type(items).__name__}: give a list, or another iterable") from None
    return items  # type: ignore[return-value]  # just asked


def size_of(items: object) -> int | None:
    """Returns the number of items; None if they do not say."""
    return len(items) if isinstance(items, Sized) else None


@contextmanager
def reported(what: str, progress: Progress, total: int | None) -> Iterator[Callable[[int], None]]:
    """Yields a function that takes the number of items that are done.

    Args:
        what: names the work on a terminal.
        progress: where the progress is reported.
        total: number of all items; None if it is not known.
    """
    if callable(progress):
        report = progress
        yield lambda done: report(done, total)
    elif progress:
        with ProgressLine(what, estimate=True) as line:
            yield lambda done: line(done, total)
    else:
        yield lambda _: None


def named(error: Exception, where: str) -> Exception:
    """Returns an error whose message begins with the place where it arose."""
    error.args = (f"{where}: {error}",)
    return error


class BulkCall(Generic[ResultT]):
    """A call that takes one item or any number of them.

    Args:
        name: what the items are called, such as "prompts".
        items: one item, or an iterable of them.
        single: types of a single item.
        on_error: handling of an item that has no result.
        progress: where the progress is reported.
        cancel: event that ends the call.
        name_of: returns what one of several items is called in its error; by default its name and index.

    Raises:
        PromptError: the items are neither, or there is none.
        ConfigError: a bad setting.
    """

    def __init__(  # noqa: PLR0913 -- the items, and how they are handled
        self,
        name: str,
        items: object,
        single: tuple[type, ...] = (),
        *,
        on_error: OnError = "raise",
        progress: Progress = False,
        cancel: threading.Event | None = None,
        name_of: Callable[[int, Any], str] | None = None,
    ) -> None:
        check_on_error(on_error)
        check_progress(progress)
        check_cancel(cancel)
        self._name, self._on_error, self._progress, self._cancel = name, on_error, progress, cancel
        self._name_of = name_of or (lambda index, _: f"{name}[{index}]")
        self.is_single = isinstance(items, single)
        self.items: Iterable[Any] = [items] if self.is_single else iterable_of(name, items)
        self.size = size_of(self.items)

    def hold(self) -> int:
        """Holds all items in memory, for a call that needs their number; returns it."""
        if self.size is None:
            self.items = list(self.items)
            self.size = len(self.items)
        return self.size

    def results(self, work: Work[Any, Any, ResultT]) -> list[ResultT | BioGptError]:
        """Returns the result of each item, in order; with `on_error` "return" the error of one that has none.

        A list of items is prepared as a whole before any of it is answered, unless errors are returned.

        Raises:
            BioGptError: an item has no result; the message names its index if there are several.
        """
        results: list[Any] = []
        with reported(self._name, self._progress, self.size) as report:
            self._prepare_all(work)
            for outcome in answer_all(work, self.items, self._failure, self._cancel):
                results.append(outcome.result if outcome.error is None else outcome.error)
                report(len(results))
        if not results:
            raise PromptError(f"the list of {self._name} is empty: give at least one")
        return results

    def _prepare_all(self, work: Work[Any, Any, ResultT]) -> None:
        """Finds what is wrong with the last items before the first are answered."""
        if self._on_error == "raise" and isinstance(self.items, Sequence) and len(self.items) > work.limits.window:
            for index, item in enumerate(self.items):
                try:
                    work.prepare(index, item)
                except BioGptError as error:
                    self._failure(index, item, error)

    def _failure(self, index: int, item: object, error: Exception) -> Exception:
        if self._on_error == "return":
            return error
        # No memory for a batch is the fault of none of its items.
        raise error if self.size == 1 or isinstance(error, MemoryError) else named(error, self._name_of(index, item))
