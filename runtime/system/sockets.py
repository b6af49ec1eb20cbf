"""Sockets to listen on, for one process alone."""

import socket

from biogpt_onnx.runtime.system import kind


def has_unix_sockets() -> bool:
    """Returns True where sockets may lie in the file system."""
    return hasattr(socket, "AF_UNIX") and not kind.is_windows()


def unix_socket() -> socket.socket:
    """Returns a new socket of the file system; only where there are such."""
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)


def claim_address(unbound: socket.socket) -> None:
    """Has a socket that is to be bound get its address at once after another server's end, and for itself alone.

    Windows lets any program bind an address anew by the option that POSIX systems need for the first, and has another
    one for the second.
    """
    if kind.is_windows():
        unbound.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_EXCLUSIVEADDRUSE", ~socket.SO_REUSEADDR), 1)
    else:
        unbound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def short_temporary_folder() -> str | None:
    """Returns a folder of temporary files in which the names of sockets stay short; None for the system's own one."""
    return None if kind.is_windows() else "/tmp"  # noqa: S108 -- what is made there is a new folder of its own
