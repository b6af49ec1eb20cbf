"""A request that is being answered: its body, its place among others, and the work that ends when its client leaves."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TypeVar

from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from biogpt_onnx.server.http.body import json_object, receive_body
from biogpt_onnx.server.http.errors import ApiError, ClientLeftError
from biogpt_onnx.server.http.fields import Fields
from biogpt_onnx.server.observation.outcome import Outcome
from biogpt_onnx.server.service import Service

T = TypeVar("T")


class Call:
    """A request that is being answered.

    Attributes:
        service: the model and what endpoints share.
        cancel: event that is set when the client has left, the time for the answer is over or the server ends at once;
            what computes ends then.
        outcome: what the request's log line and metrics are made of.

    Args:
        scope: the request.
        receive: receives the request's messages; nobody else may.
    """

    def __init__(self, service: Service, scope: Scope, receive: Receive, outcome: Outcome) -> None:
        self.service = service
        self.cancel = threading.Event()
        self.outcome = outcome
        self._scope = scope
        self._receive = receive
        self._has_left = False
        self._is_late = False
        self._watcher: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def path_parameters(self) -> Mapping[str, str]:
        """Parts of the path that its pattern names."""
        parameters: Mapping[str, str] = self._scope.get("path_params", {})
        return parameters

    @property
    def request_id(self) -> str:
        """Id of the request."""
        return self.outcome.request_id

    def header(self, name: str) -> str | None:
        """Returns a header of the request; None if it has none of this name."""
        return Headers(scope=self._scope).get(name)

    @property
    def is_late(self) -> bool:
        """True if the time for the answer is over."""
        return self._is_late

    async def fields(self) -> Fields:
        """Returns the fields of the request's JSON object.

        Raises:
            ApiError: it is too large, too slow or no JSON object.
            ClientLeftError: the client has left.
        """
        settings = self.service.settings
        body = await receive_body(
            self._scope, self._receive, max_bytes=settings.max_body_bytes, seconds=settings.receive_seconds
        )
        return Fields(json_object(self._scope, body))

    @contextmanager
    def admitted(self, count: int) -> Iterator[None]:
        """Counts the sequences that the request asks for while the block runs, and watches over its client.

        Args:
            count: number of sequences: prompts or documents, times the answers to each.

        Raises:
            ApiError: a request may not ask for so many, there is no room for them now, or the server ends.
        """
        most = self.service.settings.max_prompts
        if count > most:
            raise ApiError(
                400, f"the request asks for {count} sequences, at most {most} are allowed: send fewer at a time"
            )
        with self.service.admission.admit(count), self.service.cancelling(self.cancel):
            self._watcher = asyncio.create_task(self._watch())
            self._timer = asyncio.get_running_loop().call_later(self.service.settings.answer_seconds, self._expire)
            try:
                yield
            finally:
                self._timer.cancel()
                self._watcher.cancel()

    async def compute(self, work: Callable[[], T], *, keeps_parts: bool = False) -> T:
        """Returns what a function returns that is called in a thread of its own.

        When the client leaves or the time is over, `cancel` is set, which the function must heed; it is waited for.

        Args:
            work: the function.
            keeps_parts: True if it returns what it has when it is cancelled; otherwise that is an error.

        Raises:
            ApiError: the time for the answer was over.
            ClientLeftError: the client has left.
        """
        future = asyncio.get_running_loop().run_in_executor(self.service.workers, work)
        try:
            result = await asyncio.shield(future)
        except asyncio.CancelledError:
            self.cancel.set()
            await asyncio.wait([future])
            raise
        except Exception:
            self._check_ended()
            raise
        if keeps_parts:
            self.check_client()
        else:
            self._check_ended()
        return result

    def check_client(self) -> None:
        """Ends the request if its client has left.

        Raises:
            ClientLeftError: it has.
        """
        if self._has_left:
            raise ClientLeftError

    async def _watch(self) -> None:
        # Frameworks' own checks miss clients of requests that do not stream: this is the one reader of the messages.
        with suppress(asyncio.CancelledError):
            while (await self._receive())["type"] != "http.disconnect":
                pass
            self._has_left = True
            self.cancel.set()

    def _expire(self) -> None:
        self._is_late = True
        self.cancel.set()

    def _check_ended(self) -> None:
        """Raises what has ended the request before its answer was there, if anything has."""
        self.check_client()
        if self._is_late:
            seconds = self.service.settings.answer_seconds
            raise ApiError(503, f"the answer took longer than {seconds:g} seconds: ask for less", code="timeout")
        if self.cancel.is_set():
            self.service.admission.check_open()
