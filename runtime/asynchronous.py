"""Generations for asyncio: the model computes in a thread, and a task that is cancelled ends its decoding.

asyncio is imported when it is first needed, since most programs do without.
"""

from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

from biogpt_onnx.runtime.results import Generation
from biogpt_onnx.runtime.stream import BatchStream, TextStream

T = TypeVar("T")


class WorkerThread:
    """A thread that computes for asyncio's tasks, one call after the other.

    It is one thread for all calls of a stream, because ONNX Runtime keeps some memory for each thread that uses a GPU.
    """

    def __init__(self) -> None:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 -- see the module

        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="biogpt-onnx")
        self._has_ended = False

    async def call(self, work: Callable[[], T], cancel: Callable[[], None]) -> T:
        """Returns what a function returns that is called in the thread.

        If the task is cancelled, the function is told by `cancel` and waited for, so that nothing is computed any more
        when the cancellation goes on.
        """
        import asyncio  # noqa: PLC0415 -- see the module

        if self._has_ended:
            return work()
        future = asyncio.wrap_future(self._executor.submit(work))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            cancel()
            await asyncio.wait([future])
            raise

    def end(self) -> None:
        """Ends the thread once it has nothing more to compute; later calls are made at once by the caller's."""
        self._has_ended = True
        self._executor.shutdown(wait=False)


async def in_thread(work: Callable[[], T], cancel: Callable[[], None]) -> T:
    """Returns what a function returns that is called in a thread of its own; see `WorkerThread.call`."""
    thread = WorkerThread()
    try:
        return await thread.call(work, cancel)
    finally:
        thread.end()


class _Pieces(Generic[T]):
    """The pieces of a stream, each computed in one thread when it is asked for."""

    def __init__(self, advance: Callable[[], T | None], stream: TextStream | BatchStream) -> None:
        self._advance = advance
        self._stream = stream
        self._thread = WorkerThread()

    async def next(self) -> T:
        piece = None
        try:
            piece = await self._thread.call(self._advance, self._stream.cancel)
        finally:
            # The text has ended, the search has failed, or the task was cancelled.
            if piece is None:
                await self.close()
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def close(self) -> None:
        self._stream.cancel()
        try:
            await self._thread.call(self._stream.close, self._stream.cancel)
        finally:
            self._thread.end()


class AsyncTextStream(AsyncIterator[str]):
    """A `TextStream` for asyncio: `async for piece in model.astream(prompt)`.

    A piece is computed, in a thread, when it is asked for: while the reader does something else, nothing is computed
    and nothing piles up. The thread ends with the text. Cancelling the task that waits for a piece, `aclose`, or
    leaving an `async with` block ends the generation after the step that is being computed, and keeps the text so far.

    Args:
        stream: the stream whose pieces are computed.
    """

    def __init__(self, stream: TextStream) -> None:
        self._stream = stream
        self._pieces: _Pieces[str] = _Pieces(lambda: next(stream, None), stream)

    @property
    def generation(self) -> Generation | None:
        """Generation of the stream once it has ended or was closed; None before."""
        return self._stream.generation

    async def __anext__(self) -> str:
        """Returns the next piece, which is never empty.

        Raises:
            StopAsyncIteration: the text has ended.
            ConfigError: the rules exclude every token.
        """
        return await self._pieces.next()

    async def aclose(self) -> None:
        """Ends the generation after the step that is being computed."""
        await self._pieces.close()

    async def __aenter__(self) -> Self:
        """Returns the stream itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the stream."""
        await self.aclose()


class AsyncBatchStream(AsyncIterator[tuple[int, str]]):
    """A `BatchStream` for asyncio: `async for index, piece in model.astream(prompts)`; see `AsyncTextStream`.

    Args:
        stream: the stream whose pieces are computed.
    """

    def __init__(self, stream: BatchStream) -> None:
        self._stream = stream
        self._pieces: _Pieces[tuple[int, str]] = _Pieces(lambda: next(stream, None), stream)

    @property
    def generations(self) -> list[Generation | None]:
        """Generations in the order of the prompts; None for one whose search is not over."""
        return self._stream.generations

    async def __anext__(self) -> tuple[int, str]:
        """Returns the index of a prompt and the next piece of its text, which is never empty.

        Raises:
            StopAsyncIteration: all texts have ended.
            ConfigError: the rules exclude every token.
        """
        return await self._pieces.next()

    async def aclose(self) -> None:
        """Ends the generation after the step that is being computed."""
        await self._pieces.close()

    async def __aenter__(self) -> Self:
        """Returns the stream itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the stream."""
        await self.aclose()
