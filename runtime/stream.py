"""Streams: generations whose text is yielded while it is produced."""

from collections.abc import Callable, Iterator
from threading import RLock
from types import TracebackType
from typing import Self

from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.decoding.stopping import ContinuationText
from biogpt_onnx.runtime.results import Generation


class TextStream(Iterator[str]):
    """A stream of text, each piece of which is yielded as soon as no later token can change it.

    The pieces together are the generation's text. Greedy search and sampling yield token by token, beams their final
    answer. `close`, or leaving a `with` block, ends the generation and keeps the text so far.

    Args:
        search: iterator that takes one step of the search at a time.
        request: the prompt that the search continues.
        text: text of the continuation, to which new tokens are added; None if tokens are certain only at the end.
        limits: limits of the search.
        finish: returns the generation of the request once the search has ended.
    """

    def __init__(
        self,
        search: Iterator[None],
        request: Request,
        text: ContinuationText | None,
        limits: Limits,
        finish: Callable[[], Generation],
    ) -> None:
        self._search = search
        self._request = request
        self._text = text
        self._limits = limits
        self._finish = finish
        self._read = 0
        self._ended = False
        self._generation: Generation | None = None
        self._lock = RLock()

    @property
    def generation(self) -> Generation | None:
        """Generation of the stream once it has ended or was closed; None before."""
        return self._generation

    def __next__(self) -> str:
        """Returns the next piece, which is never empty.

        Raises:
            StopIteration: the text has ended.
            ConfigError: the rules exclude every token.
        """
        with self._lock:
            while not self._ended:
                if piece := self._advance():
                    return piece
            raise StopIteration

    def close(self) -> None:
        """Ends the generation after the step that is being computed; may be called from any thread."""
        self._limits.cancel()
        with self._lock:
            while not self._ended:
                self._advance()

    def __enter__(self) -> Self:
        """Returns the stream itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the stream."""
        self.close()

    def _advance(self) -> str:
        try:
            next(self._search)
        except StopIteration:
            self._ended = True
            self._generation = self._finish()
            return self._new_text() + (self._text.finish() if self._text else self._generation.text)
        except BaseException:
            self._ended = True
            raise
        return self._new_text()

    def _new_text(self) -> str:
        if self._text is None:
            return ""
        state = self._request.states[0]
        tokens = state.token_ids[self._read :]
        self._read += len(tokens)
        for token in tokens[: -1 if state.finish_reason == "eos" and tokens else None]:
            self._text.push(token)
        return self._text.take()
