"""Running the server: uvicorn over a socket that is open already, and an end that loses no work."""

import asyncio
import contextlib
import math
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from biogpt_onnx.runtime.errors import BioGptError, ConfigError
from biogpt_onnx.runtime.system.signals import ending_signals, reload_signal
from biogpt_onnx.server.http.protocol import bounded_protocol
from biogpt_onnx.server.observation.request_log import LOGGER
from biogpt_onnx.server.security.keys import ApiKeys
from biogpt_onnx.server.service import Service

_BY_SIGNAL = 128
_KEEP_ALIVE_SECONDS = 15
# For what was ended to be sent, before connections are cut.
_LAST_SECONDS = 5


@dataclass(frozen=True)
class Certificate:
    """The files by which a server proves its name.

    Attributes:
        certificate: certificate with its chain, in PEM form.
        key: private key, in PEM form.
    """

    certificate: Path
    key: Path

    def __post_init__(self) -> None:
        """Tries the files, before a model is loaded.

        Raises:
            ConfigError: they are no certificate and its key, or the key needs a password.
            OSError: a file cannot be read.
        """
        for path in (self.certificate, self.key):
            path.open("rb").close()
        try:
            # Without a password of our own, OpenSSL would ask for one at the terminal.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key, password=str)
        except ssl.SSLError as error:
            raise ConfigError(
                f"{self.certificate} and {self.key} are no certificate and its key in PEM form, without a password"
            ) from error


def run_server(  # noqa: PLR0913 -- each is a thing of its own
    app: ASGIApp,
    service: Service,
    bound: socket.socket,
    *,
    keys: ApiKeys | None = None,
    certificate: Certificate | None = None,
    on_started: Callable[[], None] = lambda: None,
) -> int:
    """Answers requests until a signal asks to end; returns the exit code.

    After SIGTERM or SIGINT nothing new is let in. What runs gets `drain_seconds`, and then ends with what there is of
    its answer; a second signal ends all at once.
    SIGHUP has the keys read again.

    Args:
        app: the application.
        service: what its endpoints share; it is closed.
        bound: the socket that it listens on.
        keys: keys that SIGHUP has read again.
        certificate: files for TLS; None for plain HTTP.
        on_started: called when requests are answered.
    """
    settings = service.settings
    config = uvicorn.Config(
        app,
        http=bounded_protocol(settings),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=settings.max_header_bytes,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(settings.drain_seconds) + _LAST_SECONDS,
        ssl_certfile=None if certificate is None else certificate.certificate,
        ssl_keyfile=None if certificate is None else certificate.key,
    )
    server = _Server(config, service, keys, on_started)
    try:
        server.run(sockets=[bound])
    finally:
        service.cancel_all()
        service.close()
    return server.exit_code


class _Server(uvicorn.Server):
    """uvicorn's server with signals of our own: uvicorn ends the process by the signal that it drained for."""

    def __init__(
        self, config: uvicorn.Config, service: Service, keys: ApiKeys | None, on_started: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self.exit_code = 0
        self._service, self._keys, self._on_started = service, keys, on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to listen."""
        await super().startup(sockets)
        self._on_started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Heeds signals while the block runs."""
        loop = asyncio.get_running_loop()
        numbers: dict[int, Callable[[int], None]] = dict.fromkeys(ending_signals(hang_up=False), self._end)
        if (number := reload_signal()) is not None:
            numbers[number] = self._reload
        previous = {}
        for number, handle in numbers.items():
            # Signals that this process ignores, as under nohup, stay ignored; other threads than the first get none.
            with contextlib.suppress(ValueError):
                previous[number] = signal.getsignal(number)
                signal.signal(number, _in_loop(loop, handle))
        try:
            yield
        finally:
            for number, handler in previous.items():
                with contextlib.suppress(ValueError):
                    signal.signal(number, handler)

    def _end(self, number: int) -> None:
        admission = self._service.admission
        if admission.is_draining:
            LOGGER.info("a second signal: ending at once")
            self.exit_code, self.force_exit = _BY_SIGNAL + number, True
            self._service.cancel_all()
            return
        LOGGER.info("ending: nothing new is let in, sequences that are finished first: %d", admission.used)
        admission.is_draining = self.should_exit = True
        asyncio.get_running_loop().call_later(self._service.settings.drain_seconds, self._service.cancel_all)

    def _reload(self, _number: int) -> None:
        if self._keys is None:
            return
        try:
            self._keys.reload()
        except BioGptError as error:
            LOGGER.error("the keys stay as they are: %s", error)
        else:
            LOGGER.info("the keys were read again")


def _in_loop(loop: asyncio.AbstractEventLoop, handle: Callable[[int], None]) -> Callable[[int, FrameType | None], None]:
    """Returns a handler of signals that has another one called in the event loop."""

    def handler(number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(handle, number)

    return handler
