#!/usr/bin/env python3
"""Serves a bundle by several replicas behind one address, by Ray Serve.

    pip install "biogpt-onnx[cpu,server]" "ray[serve]>=2.60"
    python deploy/ray-serve/replicas.py BUNDLE --replicas 4 --threads 8

Each replica is the application of `biogpt-onnx serve`, with its keys, bounds and metrics. Without --address it starts a
Ray of its own, which listens on the loopback device alone and ends with it.
"""

import argparse
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

_BY_INPUT = 2
# Ray Serve itself needs FastAPI.
_MISSING = [name for name in ("ray", "fastapi", "starlette", "h11", "prometheus_client") if find_spec(name) is None]
if _MISSING:
    print(
        f"error: {_MISSING[0]} is not installed: pip install 'biogpt-onnx[cpu,server]' 'ray[serve]>=2.60'",
        file=sys.stderr,
    )
    sys.exit(_BY_INPUT)

from biogpt_onnx.cli.arguments.bundle import add_bundle_argument
from biogpt_onnx.cli.arguments.server import add_server_arguments, server_settings
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.errors import BioGptError, ConfigError
from biogpt_onnx.runtime.loading import load
from biogpt_onnx.runtime.system.cores import num_usable_cores
from biogpt_onnx.server.app import create_app, make_service
from biogpt_onnx.server.endpoints.tasks.offered import offered_tasks
from biogpt_onnx.server.observation.replicas import MetricsBoard, ReplicaMetrics
from biogpt_onnx.server.observation.request_log import set_up_log
from biogpt_onnx.server.security.addresses import open_address
from biogpt_onnx.server.security.keys import ApiKeys
from biogpt_onnx.server.settings import ServerSettings
from biogpt_onnx.tasks.spec import TaskSpec

if TYPE_CHECKING:
    from ray.serve import Application
    from ray.serve.handle import DeploymentHandle
    from starlette.types import ASGIApp

_APPLICATION = "biogpt"
_OWN_CLUSTER = "auto"
_CONNECT_SECONDS = 10
_EXCHANGE_SECONDS = 2.0
# Room for requests that are no work, such as those for health and metrics, and for those that the replica refuses.
_SPARE_REQUESTS = 32


@dataclass(frozen=True)
class Served:
    """What each replica serves.

    Attributes:
        bundle: folder of the bundle, on every node.
        name: name of the model.
        threads: threads of one step.
        max_positions: most tokens of a sequence; None for the model's.
        check_memory: True to refuse what does not fit in a node's memory.
        settings: bounds and times of a replica.
        tasks: the tasks that are offered, by name.
        keys: keys of clients; None to let everybody in.
        host: address that the proxy listens on.
        log_format: form of the log.
    """

    bundle: Path
    name: str
    threads: int
    max_positions: int | None
    check_memory: bool
    settings: ServerSettings
    tasks: Mapping[str, TaskSpec]
    keys: ApiKeys | None
    host: str
    log_format: str


class Replica:
    """A process with the model, which answers a share of the requests.

    Args:
        served: what it serves.
        board: the metrics of all replicas.
    """

    def __init__(self, served: Served, board: "DeploymentHandle") -> None:
        from ray import serve

        set_up_log(served.log_format)
        self._served, self._board = served, board
        self._name = serve.get_replica_context().replica_tag
        self._metrics = ReplicaMetrics(served.name, self._name)
        self._model = load(
            served.bundle,
            device="cpu",
            threads=served.threads,
            max_positions=served.max_positions,
            check_memory=served.check_memory,
        )
        self._service = make_service(self._model, served.name, served.settings, served.tasks, self._metrics)
        self._end = threading.Event()
        threading.Thread(target=self._exchange_metrics, daemon=True).start()

    def __serve_build_asgi_app__(self) -> "ASGIApp":
        """Returns the application that answers requests."""
        return create_app(self._service, self._served.keys, self._served.host)

    def __del__(self) -> None:
        """Ends what runs, when Ray has waited for it or a fault has kept it from beginning."""
        with suppress(AttributeError):
            self._end.set()
            self._service.cancel_all()
            self._service.close()
            self._model.close()

    def _exchange_metrics(self) -> None:
        model = self._service.model
        while not self._end.wait(_EXCHANGE_SECONDS):
            self._metrics.set_load(model.num_running, model.num_waiting, model.cache_usage)
            # Without the board, which Ray starts again, each replica shows what it last knew of the others.
            with suppress(Exception):
                exchanged = self._board.exchange.remote(self._name, self._metrics.own_text())
                self._metrics.others = exchanged.result(timeout_s=_EXCHANGE_SECONDS)


def application(served: Served, replicas: int) -> "Application":
    """Returns the application of Ray Serve: replicas, and a process that knows the metrics of all.

    Args:
        served: what each replica serves.
        replicas: number of replicas.
    """
    from ray import serve
    from ray.serve.schema import LoggingConfig

    settings = served.settings
    quiet = LoggingConfig(enable_access_log=False)
    board = serve.deployment(name="Metrics", ray_actor_options={"num_cpus": 0}, logging_config=quiet)(MetricsBoard)
    replica = serve.deployment(
        name="Replica",
        num_replicas=replicas,
        ray_actor_options={"num_cpus": served.threads},
        # The application counts sequences, and refuses what is too much in its own words.
        max_ongoing_requests=settings.capacity + _SPARE_REQUESTS,
        max_queued_requests=settings.max_connections,
        graceful_shutdown_timeout_s=settings.drain_seconds,
        health_check_period_s=2,
        # A path that a client made up may hold anything, and the application logs requests itself.
        logging_config=quiet,
    )(serve.ingress()(Replica))
    return replica.bind(served, board.bind())


def main() -> int:
    """Serves until a signal asks to end; returns the exit code."""
    options = _parser().parse_args()
    # Ray leaves some of its files readable for others.
    os.umask(0o077)
    try:
        served = _served(options)
        with open_address(options.host, options.port, has_keys=served.keys is not None) as bound:
            port = bound.getsockname()[1]
        with _ray(options.address, options.replicas * served.threads):
            _serve(served, options, port)
    except (BioGptError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return _BY_INPUT
    return 0


def _serve(served: Served, options: argparse.Namespace, port: int) -> None:
    from ray import serve

    end = threading.Event()
    try:
        _start_proxy(options.host, port, served.settings)
        try:
            serve.run(application(served, options.replicas), name=_APPLICATION, route_prefix="/")
        except RuntimeError as error:
            raise BioGptError(f"the replicas do not start: {' '.join(str(error).split())}") from error
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: end.set())
        print(f"{served.name} is served at http://{options.host}:{port}", file=sys.stderr, flush=True)
        end.wait()
        print("ending: what runs is finished first", file=sys.stderr, flush=True)
    finally:
        serve.shutdown()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Serves a bundle by several replicas behind one address.")
    add_bundle_argument(parser)
    parser.add_argument("--replicas", type=int, default=2, metavar="N", help="processes with the model (default 2)")
    parser.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="join the Ray cluster there, or by auto that of this node (default: a Ray of its own, which ends too)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1: this machine)")
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="port to listen on (default 8000)")
    parser.add_argument("--api-key-file", type=Path, metavar="FILE", help="clients need one of its keys, one a line")
    add_server_arguments(parser)
    return parser


def _served(options: argparse.Namespace) -> Served:
    if options.replicas < 1:
        raise ConfigError(f"--replicas is {options.replicas}: give 1 or more")
    threads = max(1, num_usable_cores() // options.replicas) if options.threads is None else options.threads
    if threads < 1:
        raise ConfigError(f"--threads is {threads}: give 1 or more")
    bundle = options.bundle.absolute()
    settings = server_settings(options)
    return Served(
        bundle,
        settings.model_name or bundle.name,
        threads,
        options.max_positions,
        options.check_memory,
        settings,
        offered_tasks(read_manifest(bundle), options.task),
        None if options.api_key_file is None else ApiKeys(options.api_key_file),
        options.host,
        options.log_format,
    )


@contextmanager
def _ray(address: str | None, cores: int) -> Iterator[None]:
    """Joins a cluster for the block, or starts one that nobody else reaches: by the network, a token, or a file."""
    # Ray reads these when it is imported.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # On a busy machine the process that takes requests needs longer to start than the five seconds after which it
    # would be killed.
    os.environ.setdefault("RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S", "60")
    if address is None:
        # Meant for other systems, this keeps all of Ray's processes to the loopback device.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    else:
        # An address at which something is silent would be tried for a quarter of an hour.
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")
    import ray

    folder = None
    try:
        if address is None:
            # The names of sockets in it may be only so long, which a folder of TMPDIR might not leave room for.
            folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
            ray.init(address="local", num_cpus=cores, include_dashboard=False, _temp_dir=folder)
        else:
            _join(address)
        yield
    finally:
        ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _join(address: str) -> None:
    import ray

    host, _, port = address.rpartition(":")
    try:
        if address != _OWN_CLUSTER:
            # Ray itself would try it for most of a minute.
            socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
        ray.init(address=address)
    except Exception as error:  # Ray raises errors of many kinds
        raise BioGptError(
            f"no Ray cluster answers at {address}: start one by `ray start` on each node, and run this on one of them"
        ) from error


def _start_proxy(host: str, port: int, settings: ServerSettings) -> None:
    from ray import serve
    from ray.exceptions import RayError
    from ray.serve.config import ProxyLocation
    from ray.serve.schema import LoggingConfig

    try:
        serve.start(
            proxy_location=ProxyLocation.HeadOnly,
            http_options={
                "host": host,
                "port": port,
                # The application ends answers itself; this is for clients that do not read theirs.
                "request_timeout_s": settings.receive_seconds + settings.answer_seconds + settings.drain_seconds,
            },
            logging_config=LoggingConfig(enable_access_log=False),
        )
    except RayError as error:
        raise BioGptError(
            f"Ray Serve did not begin to listen at {host}:{port} ({type(error).__name__}): start it again; if the "
            "machine is busy, set RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S to more seconds than 60"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
