"""Streams: generations whose text is yielded while it is produced."""

from collections import deque
from collections.abc import Iterator, Sequence
from threading import RLock
from types import TracebackType
from typing import Self

from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.results import Generation, TextPiece
from biogpt_onnx.runtime.streamed_sequences import StreamedPrompt

_END = object()


class PieceStream(Iterator[TextPiece]):
    """A stream of several prompts' sequences, each piece with its tokens; made by `BioGPT.stream_pieces`.

    Greedy search and sampling give a piece of each sequence after each pass of the model that gave it a token. Drafts
    take one prompt after the other, and a pass may give several tokens. Beams take as many prompts together as the
    device allows, and give each returned sequence whole, best first. The last piece of a sequence has its
    `finish_reason`; its pieces' texts together are the text that `generate` returns.

    `close`, or leaving a `with` block, ends the generation and keeps the texts so far. A stream that failed raises its
    error each time it is asked for more.

    Args:
        search: iterator that takes one step of the search at a time.
        prompts: the prompts that the search continues.
        limits: limits of the search.
    """

    def __init__(self, search: Iterator[None], prompts: Sequence[StreamedPrompt], limits: Limits) -> None:
        self._search = search
        self._prompts = prompts
        self._limits = limits
        self._pending: deque[TextPiece] = deque()
        self._ended = False
        self._failure: tuple[Exception, TracebackType | None] | None = None
        self._lock = RLock()

    @property
    def generations(self) -> list[Generation | None]:
        """Generations in the order of the prompts; None for one whose search is not over."""
        self._raise_failure()
        return [prompt.generation for prompt in self._prompts]

    def __next__(self) -> TextPiece:
        """Returns the next piece.

        Raises:
            StopIteration: all sequences have ended.
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
            is_over = next(self._search, _END) is _END
            pieces = [piece for prompt in self._prompts for piece in prompt.take(is_over=is_over)]
        except Exception as error:
            self._ended, self._failure = True, (error, error.__traceback__)
            raise
        except BaseException as error:
            again = RuntimeError(f"the stream was interrupted ({type(error).__name__}): start another one")
            self._ended, self._failure = True, (again, None)
            raise
        self._ended = is_over
        self._pending.extend(pieces)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            error, trace = self._failure
            raise error.with_traceback(trace)


class BatchStream(Iterator[tuple[int, str]]):
    """A stream of several texts: pairs of a prompt's index and the next piece of its text.

    The pieces of an index together are that prompt's text. Greedy search and sampling yield the pieces of all prompts
    side by side; drafts and beams take one prompt after the other, and beams yield a text as a whole. `close`, or
    leaving a `with` block, ends the generation and keeps the texts so far. A stream that failed raises its error each
    time it is asked for more.

    Args:
        pieces: the stream of the prompts' sequences, of which the first of each prompt is given.
    """

    def __init__(self, pieces: PieceStream) -> None:
        self._pieces = pieces

    @property
    def generations(self) -> list[Generation | None]:
        """Generations in the order of the prompts; None for one whose search is not over."""
        return self._pieces.generations

    def __next__(self) -> tuple[int, str]:
        """Returns the index of a prompt and the next piece of its text, which is never empty.

        Raises:
            StopIteration: all texts have ended.
            ConfigError: the rules exclude every token.
        """
        return next((piece.prompt, piece.text) for piece in self._pieces if piece.text and piece.sequence == 0)

    def cancel(self) -> None:
        """Has the generation end after the step that is being computed, and does not wait for it."""
        self._pieces.cancel()

    def close(self) -> None:
        """Ends the generation after the step that is being computed; may be called from any thread."""
        self._pieces.close()

    def __enter__(self) -> Self:
        """Returns the stream itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the stream."""
        self.close()


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
