"""Connection to a Ray cluster, or to one of this machine alone that is started for it, with safe settings."""

import importlib
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from biogpt_onnx.runtime.errors import BioGptError, ConfigError
from biogpt_onnx.runtime.system.cores import num_usable_cores
from biogpt_onnx.runtime.system.sockets import short_temporary_folder

AUTO = "auto"
"""The address of the cluster that a node of this machine belongs to."""

CONNECT_SECONDS = 10.0
"""Seconds after which an address that accepts no connection is given up."""

_MODULE = "ray"
_INSTALL = "pip install 'biogpt-onnx[cpu,cluster]'"
# Units are numbers and results are files, so Ray has no objects to store. This is the least that it takes.
_STORE_BYTES = 80 * 2**20
_QUIET = 40
_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


@contextmanager
def connected(address: str | None, *, cpus: int | None = None) -> Iterator[Any]:
    """Connects to a Ray cluster for the block.

    A cluster that is started for the block listens on the loopback interface alone, asks for a token that is made
    anew, and keeps its files in a folder that nobody else can read, which is removed. Usage statistics are off unless
    the environment says otherwise. A connection that the program has made already is used as it is.

    Args:
        address: HOST:PORT of the cluster; `AUTO` for that of this machine's node; None to start one on this machine.
        cpus: Number of CPUs of a cluster that is started; None for those that this process may use.

    Yields:
        The module `ray`.

    Raises:
        ConfigError: Ray is not installed, or the address is none.
        BioGptError: There is no cluster at the address, or none can be started.
    """
    if address is not None:
        _check_address(address)
    # Ray reads its settings from the environment when it is imported; what others have set counts.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address is None:
        _prepare_local()
    else:
        # An address at which something is silent would be tried for a quarter of an hour.
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")
    ray = _import_ray()
    if ray.is_initialized():
        yield ray
        return
    folder = None if address is not None else _make_folder()
    try:
        with _own_signals():
            _init(ray, address, folder, cpus or num_usable_cores())
        try:
            yield ray
        finally:
            with _own_signals():
                ray.shutdown()
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _check_address(address: str) -> None:
    if address == AUTO:
        return
    if "://" in address:
        raise ConfigError(
            f"the address {address} is one of Ray's client: run this on a node of the cluster, with its HOST:PORT or "
            f"{AUTO}"
        )
    name, _, port = address.rpartition(":")
    if not name or not port.isdigit():
        raise ConfigError(f"the address {address!r} is none: give HOST:PORT of a Ray cluster, or {AUTO}")
    try:
        socket.create_connection((name.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, getattr(error, "strerror", None) or str(error)) from error


def _no_cluster(address: str, reason: str) -> BioGptError:
    return BioGptError(
        f"no Ray cluster answers at {address} ({reason}): start one by `ray start` on each node, and run this on one "
        "of them"
    )


def _prepare_local() -> None:
    if "ray" not in sys.modules:
        # By this, which is meant for other systems, all of Ray's processes listen on the loopback interface alone.
        os.environ[_LOOPBACK] = "0"
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    elif os.environ.get(_LOOPBACK) != "0" and not sys.modules["ray"].is_initialized():
        raise ConfigError(
            "ray is imported already, and a cluster that it starts would listen on all interfaces: call this before "
            f"the import, or set {_LOOPBACK}=0 before it, or call ray.init yourself"
        )


def _import_ray() -> Any:
    try:
        return importlib.import_module(_MODULE)
    except ImportError as error:
        raise ConfigError(f"ray is not installed: {_INSTALL}") from error


def _make_folder() -> str:
    # The names of sockets in it may have about a hundred characters, which a long TMPDIR would not leave.
    return tempfile.mkdtemp(prefix="ray-", dir=short_temporary_folder())


def _init(ray: Any, address: str | None, folder: str | None, cpus: int) -> None:
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": _QUIET}
    if address is not None:
        options |= {"address": address}
    else:
        options |= {
            "address": "local",
            "num_cpus": cpus,
            "object_store_memory": _STORE_BYTES,
            "include_dashboard": False,
            "_temp_dir": folder,
        }
    # Ray leaves some files, such as a token, readable for others.
    mask = os.umask(0o077) if address is None else None
    try:
        with _silent_errors():
            ray.init(**options)
    except Exception as error:  # Ray raises errors of many kinds
        reason = " ".join(str(error).split())
        if address is None:
            raise BioGptError(f"Ray cannot be started on this machine: {reason}") from error
        raise _no_cluster(address, reason) from error
    finally:
        if mask is not None:
            os.umask(mask)
    _keep_quiet()


@contextmanager
def _silent_errors() -> Iterator[None]:
    """Drops what the block writes to the descriptor of standard error, where Ray's compiled part tells of each try."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _keep_quiet() -> None:
    """Keeps Ray from writing paragraphs about workers that died to standard output, for which it has no option."""
    module = importlib.import_module("ray._private.worker")
    if hasattr(module, "print_to_stdstream"):
        setattr(module, "print_to_stdstream", lambda *_, **__: None)  # noqa: B010 -- an attribute that types do not know


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keeps the program's own handler of SIGTERM, which Ray replaces."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)
