"""The address that the server listens on: loopback or a socket of the file system, unless clients need keys."""

import ipaddress
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.system.sockets import claim_address, has_unix_sockets, unix_socket

_BACKLOG = 512
_LARGEST_PORT = 65_535


def open_address(host: str, port: int, *, has_keys: bool) -> socket.socket:
    """Returns a socket that is bound to an address.

    Args:
        host: address, or a name of this machine.
        port: port; 0 for any free one.
        has_keys: True if clients need keys, without which only this machine is listened to.

    Raises:
        ConfigError: the address is not to be had, or others could reach it without a key.
    """
    if not 0 <= port <= _LARGEST_PORT:
        raise ConfigError(f"--port is {port}: give one from 1 to {_LARGEST_PORT}, or 0 for any that is free")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"--host {host} is no address of this machine: give one such as 127.0.0.1") from error
    if not has_keys and not _is_loopback(str(address[0])):
        raise ConfigError(
            f"--host {host} can be reached from other machines: give --api-key-file, or listen on 127.0.0.1"
        )
    bound = socket.socket(family, kind, protocol)
    try:
        claim_address(bound)
        bound.bind(address)
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise ConfigError(f"{host}, port {port}: {error.strerror}: give another --port, or end what uses it") from error
    return bound


def open_unix_socket(path: Path) -> socket.socket:
    """Returns a socket of the file system, which its owner and group may connect to.

    Raises:
        ConfigError: it cannot be made, something else has its name, or another server listens on it.
    """
    if not has_unix_sockets():
        raise ConfigError("--unix-socket: this system has no sockets in the file system, use --host and --port")
    _remove_left_over(path)
    bound = unix_socket()
    mask = os.umask(0o117)
    try:
        bound.bind(os.fspath(path))
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        reason = error.strerror or str(error)
        raise ConfigError(
            f"--unix-socket {path}: {reason}: give a short path in a folder that can be written"
        ) from error
    finally:
        os.umask(mask)
    return bound


def _remove_left_over(path: Path) -> None:
    """Removes the socket of a server that has ended without removing it."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigError(f"--unix-socket {path} is another file: give a path that is free")
    with unix_socket() as probe:
        try:
            probe.connect(os.fspath(path))
        except OSError:
            with suppress(OSError):
                path.unlink()
            return
    raise ConfigError(f"--unix-socket {path}: another server listens on it: end it, or give another path")


def _is_loopback(address: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(address).is_loopback
    return False
