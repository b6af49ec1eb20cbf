"""Servers that are measured: how each is made ready, started and loaded."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.compare.peers.catalogue import FAILED, INSTALLED
from benchmarks.processes import checkout_environment, started
from benchmarks.server.loading.load import Load
from benchmarks.server.models import Models
from benchmarks.server.peers import llama_server
from biogpt_onnx.bench.machine import usable_cores
from biogpt_onnx.bench.measuring.process import ContenderError, PinnedProcess

OURS, OURS_CACHE = "ours", "ours-cache"

_SETTLE_SECONDS = 60.0
_LOOK_SECONDS = 0.3
_IDLE_SHARE = 0.2
_SPARE_SECONDS = 120.0


@dataclass(frozen=True)
class Setup:
    """What servers are started with.

    Attributes:
        models: what they load.
        environments: the folder of the peers' environments.
        threads: that each computes with, and cores that it has.
        rows: requests that each may run at once.
    """

    models: Models
    environments: Path
    threads: int
    rows: int

    def program(self, package: str, name: str = "python") -> str:
        """Returns the path of a program in an environment."""
        return str(self.environments / package / "bin" / name)


@dataclass(frozen=True)
class Server:
    """A server that is measured.

    Attributes:
        title: what a report calls it.
        packages: the environments that it needs.
        command: makes its command line; `{port}` stands for the port of one that speaks HTTP.
        ready: the path that such a one answers with 200 once it is ready; None for a library with a driver of ours.
        fields: of each request, besides prompt, number of tokens and streaming.
        remark: what a fair reader must know of it.
        version: what was built, where the server's process cannot say it.
    """

    title: str
    packages: tuple[str, ...]
    command: Callable[[Setup], Sequence[str]]
    ready: str | None
    fields: Mapping[str, object]
    remark: str
    version: str | None = None


def bundle_of(name: str, models: Models) -> Path:
    """Returns the bundle that a server of ours serves."""
    return models.bundle() if name == OURS else models.cache_bundle()


def _ours(name: str) -> Callable[[Setup], list[str]]:
    def command(setup: Setup) -> list[str]:
        bundle = str(bundle_of(name, setup.models))
        serve = [sys.executable, "-m", "biogpt_onnx", "serve", bundle, "--port", "{port}"]
        return [*serve, "--threads", str(setup.threads), "--max-rows", str(setup.rows)]

    return command


def _llama(setup: Setup) -> list[str]:
    threads, rows = str(setup.threads), str(setup.rows)
    model = str(setup.models.llama(setup.program("llama-server")))
    # By default it keeps up to 8 GiB of prompts that it has read.
    return [
        *(setup.program("llama-server", "llama-server"), "--model", model, "--host", "127.0.0.1", "--port", "{port}"),
        *("--threads", threads, "--threads-batch", threads, "--parallel", rows),
        *("--ctx-size", str(int(rows) * 1024), "--cache-ram", "0", "--offline"),
    ]


def _openvino(setup: Setup) -> list[str]:
    module = "benchmarks.server.peers.openvino_batching"
    model = str(setup.models.openvino(setup.program("openvino")))
    sizes = ["--threads", str(setup.threads), "--rows", str(setup.rows)]
    return [setup.program("openvino-genai"), "-m", module, model, *sizes]


def _transformers(variant: str) -> Callable[[Setup], list[str]]:
    def command(setup: Setup) -> list[str]:
        module = "benchmarks.server.peers.transformers_serving"
        sizes = ["--threads", str(setup.threads), "--rows", str(setup.rows)]
        model = str(setup.models.checkpoint())
        return [setup.program("transformers"), "-m", module, model, *sizes, "--variant", variant]

    return command


_IGNORES_END = {"ignore_eos": True}

SERVERS: dict[str, Server] = {
    OURS: Server("biogpt-onnx serve, int8", (), _ours(OURS), "/ready", _IGNORES_END, "its cache is in float32"),
    OURS_CACHE: Server(
        "biogpt-onnx serve, int8, cache in 8 bits",
        (),
        _ours(OURS_CACHE),
        "/ready",
        _IGNORES_END,
        "made by `biogpt-onnx quantize --cache int8`",
    ),
    "llama": Server(
        "llama.cpp's llama-server, Q8_0",
        ("llama-server",),
        _llama,
        "/health",
        {**_IGNORES_END, "cache_prompt": False},
        "as a GPT-2, whose GELU is the tanh form",
        llama_server.version(),
    ),
    "openvino": Server(
        "OpenVINO GenAI's continuous batching, int8",
        ("openvino-genai", "openvino"),
        _openvino,
        None,
        {},
        "no server: its pipeline in a process of its own, without HTTP; by its defaults its cache is in 8 bits, too",
    ),
    "transformers": Server(
        "transformers' continuous batching, bf16",
        ("transformers",),
        _transformers("batching"),
        None,
        {},
        "in a process of its own, without HTTP",
    ),
    "transformers-generate": Server(
        "transformers' generate, one request at a time, bf16",
        ("transformers",),
        _transformers("generate"),
        None,
        {},
        "in a process of its own, without HTTP",
    ),
}
"""Servers by name, in the order in which they take turns."""


def unavailable(server: Server, environments: Path) -> str | None:
    """Returns why a server cannot be run, in one line; None where its environments are complete."""
    for package in server.packages:
        folder = environments / package
        if (folder / FAILED).is_file():
            return (folder / FAILED).read_text(encoding="utf-8").strip()
        if not (folder / INSTALLED).is_file():
            return f"{folder} is missing: make bench-server-peers"
    return None


class Contender:
    """A server that runs, and the process that loads it.

    Args:
        server: of `SERVERS`.
        process: the server's, or what hosts it.
        client: the process of its client; None for a library, which is loaded from its own process.
    """

    def __init__(self, server: Server, process: PinnedProcess, client: PinnedProcess | None) -> None:
        self.server = server
        self._process, self._client = process, client or process
        self._target: dict[str, object] = {}
        if client is not None:
            port = process.hello["port"]
            model = client.ask({"model": {"port": port}})["model"]
            self._target = {"port": port, "fields": {**server.fields, "model": model}}

    @property
    def hello(self) -> Mapping[str, Any]:
        """What the process said when it was ready."""
        return {"start_seconds": self._process.start_seconds, **self._process.hello}

    def load(self, load: Load) -> dict[str, Any]:
        """Puts the server under a load; returns what was seen, see `load.Loading.run`."""
        seconds = load.warm_seconds + load.seconds + load.patience_seconds + _SPARE_SECONDS
        return self._client.ask({"load": {**self._target, "load": asdict(load)}}, patience=seconds)

    def all_of(self, kind: str, count: int, clients: int) -> float:
        """Returns the seconds until the first requests of a kind are answered, see `load.run_all`."""
        settings = {"kind": kind, "count": count, "clients": clients}
        return float(self._client.ask({"all_of": {**self._target, **settings}})["seconds"])

    def beside_reading(self, writers: int, rounds: int, tokens_before: int) -> dict[str, Any]:
        """Takes times between tokens while a long prompt is read, see `load.run_beside_reading`."""
        settings = {"writers": writers, "rounds": rounds, "tokens_before": tokens_before}
        return self._client.ask({"beside_reading": {**self._target, **settings}})

    def usage(self) -> dict[str, float]:
        """Returns what the server's process uses, see `process_usage.usage`."""
        return self._process.ask({"usage": {}})

    def settle(self) -> None:
        """Waits until the server has given up what its clients have given up.

        Raises:
            ContenderError: it computes on for a minute.
        """
        began = time.perf_counter()
        before = self.usage()["cpu_seconds"]
        while time.perf_counter() - began < _SETTLE_SECONDS:
            time.sleep(_LOOK_SECONDS)
            after = self.usage()["cpu_seconds"]
            if after - before < _IDLE_SHARE * _LOOK_SECONDS:
                return
            before = after
        raise ContenderError("it computes on for a minute after its last client has left")

    def halt(self) -> None:
        """Suspends it, so that its idle threads disturb nobody."""
        self._process.halt()

    def resume(self) -> None:
        """Lets it run again after `halt`."""
        self._process.resume()

    def close(self) -> None:
        """Ends it."""
        self._process.close()


@contextmanager
def running(server: Server, setup: Setup, logs: Path) -> Iterator[Contender]:
    """Makes a server's model if need be, and runs it, with a client on its own cores if it speaks HTTP.

    Args:
        server: of `SERVERS`.
        setup: what it is started with.
        logs: a folder for what it prints.

    Raises:
        ContenderError: it cannot be made ready or started.
    """
    try:
        command = list(server.command(setup))
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        raise ContenderError(f"its model cannot be made: {error}") from error
    name = "".join(letter if letter.isalnum() else "-" for letter in server.title)
    if server.ready is not None:
        host = [sys.executable, "-m", "benchmarks.server.hosted", "--ready", server.ready]
        command = [*host, "--log", str(logs / f"{name}.output"), "--", *command]
    variables = {**checkout_environment(), "OMP_NUM_THREADS": str(setup.threads)}
    with ExitStack() as stack:
        process = stack.enter_context(
            PinnedProcess(command, usable_cores()[: setup.threads], logs / f"{name}.log", variables)
        )
        client = None
        if server.ready is not None:
            client = stack.enter_context(started("server.loading.client", threads=setup.threads))
        yield Contender(server, process, client)
