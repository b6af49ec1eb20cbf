"""The command `serve`: answers requests over HTTP."""

import argparse
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from biogpt_onnx.cli.arguments.bundle import add_bundle_argument
from biogpt_onnx.cli.arguments.names import non_empty, non_empty_path
from biogpt_onnx.cli.arguments.server import add_server_arguments, server_settings
from biogpt_onnx.runtime.bundle import Manifest, read_manifest
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.loading import load
from biogpt_onnx.runtime.memory.formula import cache_bytes
from biogpt_onnx.runtime.system.room import mebibytes, read_room

if TYPE_CHECKING:
    from biogpt_onnx.server.running import Certificate

_NEEDED = ("starlette", "uvicorn", "h11", "prometheus_client")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_bundle_argument(parser)
    parser.add_argument(
        "--host", type=non_empty, default="127.0.0.1", help="address to listen on (default 127.0.0.1: this machine)"
    )
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="port to listen on (default 8000)")
    parser.add_argument("--unix-socket", type=non_empty_path, metavar="PATH", help="listen on this socket instead")
    parser.add_argument(
        "--api-key-file",
        type=non_empty_path,
        metavar="FILE",
        help="clients need one of its keys, one a line; read on SIGHUP too",
    )
    parser.add_argument(
        "--certificate", type=non_empty_path, metavar="FILE", help="certificate for TLS, with its chain (PEM)"
    )
    parser.add_argument("--key", type=non_empty_path, metavar="FILE", help="the certificate's private key (PEM)")
    add_server_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command until a signal asks it to end."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigError(f"{missing[0]} is not installed: pip install 'biogpt-onnx[cpu,server]'")
    from biogpt_onnx.server.app import create_app, make_service
    from biogpt_onnx.server.endpoints.tasks.offered import offered_tasks
    from biogpt_onnx.server.observation.request_log import LOGGER, set_up_log
    from biogpt_onnx.server.running import run_server
    from biogpt_onnx.server.security.addresses import open_address, open_unix_socket
    from biogpt_onnx.server.security.keys import ApiKeys

    settings, certificate = server_settings(options), _certificate(options)
    # What cannot be served is refused before an address is taken and the model is loaded.
    tasks = offered_tasks(read_manifest(options.bundle), options.task)
    keys = None if options.api_key_file is None else ApiKeys(options.api_key_file)
    if options.unix_socket is None:
        bound = open_address(options.host, options.port, has_keys=keys is not None)
    else:
        bound = open_unix_socket(options.unix_socket)
    set_up_log(options.log_format)
    with bound, _loaded(options) as model:
        service = make_service(model, Path(os.path.abspath(options.bundle)).name, settings, tasks)  # noqa: PTH100 -- links stay
        app = create_app(service, keys, None if options.unix_socket else options.host)

        def say_started() -> None:
            scheme = "http" if certificate is None else "https"
            where = options.unix_socket or f"{scheme}://{_shown(options.host)}:{bound.getsockname()[1]}"
            LOGGER.info("%s is served at %s", service.name, where)
            checked = "" if options.expect is None else ", as expected"
            LOGGER.info("the bundle's digest is %s%s", model.bundle_digest, checked)
            _say_cache(model.manifest, service.settings.max_rows)

        try:
            return run_server(app, service, bound, keys=keys, certificate=certificate, on_started=say_started)
        finally:
            if options.unix_socket is not None:
                options.unix_socket.unlink(missing_ok=True)


def _loaded(options: argparse.Namespace) -> BioGPT:
    return load(
        options.bundle,
        device="cpu",
        threads=options.threads,
        mixed_passes=True,
        expect=options.expect,
        max_positions=options.max_positions,
        check_memory=options.check_memory,
    )


def _say_cache(manifest: Manifest, rows: int) -> None:
    """Says how much memory the cache of all rows may take, and if that is not there."""
    from biogpt_onnx.server.observation.request_log import LOGGER

    positions = manifest.architecture.max_positions
    needed, room = cache_bytes(manifest, rows, positions), read_room()
    LOGGER.info("the key-value cache of all rows takes at most %s MB beside the weights", f"{needed / 1e6:,.0f}")
    if room is not None and needed > room.free:
        LOGGER.warning(
            "%s rows of %s tokens take more memory than the %s that are left of %s; requests that do not fit will get "
            "status 503: lower --max-rows or --max-positions",
            rows,
            f"{positions:,}",
            mebibytes(room.free),
            room.bound,
        )


def _certificate(options: argparse.Namespace) -> "Certificate | None":
    from biogpt_onnx.server.running import Certificate

    if options.certificate is None and options.key is None:
        return None
    if options.certificate is None or options.key is None:
        raise ConfigError("TLS needs both --certificate and --key: give the other one, too")
    return Certificate(options.certificate, options.key)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
