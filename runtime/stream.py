"""Streams: generations whose text is yielded while it is produced."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from threading import RLock
from types import TracebackType
from typing import Self

from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.decoding.stopping import ContinuationText
from biogpt_onnx.runtime.results import Generation

_END = object()


class StreamedRow:
    """The text of one prompt of a stream.

    Args:
        request: the prompt, which a search continues.
        text: text of the continuation, to which new tokens are added; None if tokens are certain only at the end.
        finish: returns the generation of a request whose search is over.
    """

    def __init__(
        self, request: Request, text: ContinuationText | None, finish: Callable[[Request], Generation]
    ) -> None:
        self._request = request
        self._text = text
        self._finish = finish
        self._read = 0
        self._is_whole = False
        self.generation: Generation | None = None

    def take(self) -> str:
        """Returns the text that has become certain since the last call."""
        if self._request.has_ended and self.generation is None:
            self.generation = self._finish(self._request)
        if self._is_whole:
            return ""
        if self._text is None:
            self._is_whole = self.generation is not None
            return self.generation.text if self.generation else ""
        return self._new_text(self._text)

    def _new_text(self, text: ContinuationText) -> str:
        state = self._request.states[0]
        tokens = state.token_ids[self._read :]
        self._read += len(tokens)
        for token in tokens[: -1 if state.finish_reason == "eos" and tokens else None]:
            text.push(token)
        self._is_whole = state.finish_reason is not None
        return text.take() + (text.finish() if self._is_whole else "")


class BatchStream(Iterator[tuple[int, str]]):
    """A stream of several texts: pairs of a prompt's index and the next piece of its text.

    The pieces of an index together are that prompt's text. Greedy search and sampling yield the pieces of all prompts
    side by side; drafts and beams take one prompt after the other, and beams yield a text as a whole. `close`, or
    leaving a `with` block, ends the generation and keeps the texts so far. A stream that failed raises its error each
    time it is asked for more.

    Args:
        search: iterator that takes one step of the search at a time.
        rows: the prompts that the search continues.
        limits: limits of the search.
    """

    def __init__(self, search: Iterator[None], rows: Sequence[StreamedRow], limits: Limits) -> None:
        self._search = search
        self._rows = rows
        self._limits = limits
        self._pending: deque[tuple[int, str]] = deque()
        self._ended = False
        self._failure: tuple[Exception, TracebackType | None] | None = None
        self._lock = RLock()

    @property
    def generations(self) -> list[Generation | None]:
        """Generations in the order of the prompts; None for one whose search is not over."""
        self._raise_failure()
        return [row.generation for row in self._rows]

    def __next__(self) -> tuple[int, str]:
        """Returns the index of a prompt and the next piece of its text, which is never empty.

        Raises:
            StopIteration: all texts have ended.
            ConfigError: the rules exclude every token.
        """
        with self._lock:
            while not self._pending and not self._ended:
                self._advance()
            if self._pending:
                return self._pending.popleft()
            self._raise_failure()
            raise StopIteration

    def cancel(self) -> None:
        """Has the generation end after the step that is being computed, and does not wait for it."""
        self._limits.cancel()

    def close(self) -> None:
        """Ends the generation after the step that is being computed; may be called from any thread."""
        self._limits.cancel()
        with self._lock:
            while not self._ended:
                self._advance()
            self._pending.clear()

    def __enter__(self) -> Self:
        """Returns the stream itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the stream."""
        self.close()

    def _advance(self) -> None:
        try:
            self._ended = next(self._search, _END) is _END
            pieces = [row.take() for row in self._rows]
        except Exception as error:
            self._ended, self._failure = True, (error, error.__traceback__)
            raise
        except BaseException as error:
            again = RuntimeError(f"the stream was interrupted ({type(error).__name__}): start another one")
            self._ended, self._failure = True, (again, None)
            raise
        self._pending.extend((index, piece) for index, piece in enumerate(pieces) if piece)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            error, trace = self._failure
            raise error.with_traceback(trace)


class TextStream(Iterator[str]):
    """A stream of text, each piece of which is yielded as soon as no later token can change it.

    The pieces together are the generation's text. Greedy search and sampling yield token by token, beams their final
    answer. `close`, or leaving a `with` block, ends the generation and keeps the text so far. A stream that failed
    raises its error each time it is asked for more.

    Args:
        batch: the stream of the only prompt.
    """

    def __init__(self, batch: BatchStream) -> None:
        self._batch = batch

    @property
    def generation(self) -> Generation | None:
        """Generation of the stream once it has ended or was closed; None before."""
        (generation,) = self._batch.generations
        return generation

    def __next__(self) -> str:
        """Returns the next piece, which is never empty.

        Raises:
            StopIteration: the text has ended.
            ConfigError: the rules exclude every token.
        """
        return next(self._batch)[1]

    def cancel(self) -> None:
        """Has the generation end after the step that is being computed, and does not wait for it."""
        self._batch.cancel()

    def close(self) -> None:
        """Ends the generation after the step that is being computed; may be called from any thread."""
        self._batch.close()

    def __enter__(self) -> Self:
        """Returns the stream itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the stream."""
        self.close()
