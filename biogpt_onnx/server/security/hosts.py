"""The names by which clients call the server: a page elsewhere may have let its own name point here."""

import ipaddress
from collections.abc import Collection

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class HostNames:
    """The names by which the server may be called, in a request's header Host.

    A browser that was led here by a name of somebody else's sends that name. An address leads nowhere else, so that
    the addresses of a server that listens on all of them are taken.

    Args:
        allowed: names beside those of the machine itself; "*" allows all.
        bound: address that the server listens on; None for a socket of the file system, which no browser reaches.
    """

    def __init__(self, allowed: Collection[str], bound: str | None) -> None:
        self._allowed = _LOCAL | {name.lower() for name in allowed} | ({bound.lower()} if bound else set())
        self._takes_all = "*" in allowed or bound is None
        self._takes_addresses = bound is not None and _is_wildcard(bound)

    def accepts(self, header: str | None) -> bool:
        """Returns True for a header that holds one of the names, with or without a port."""
        if self._takes_all:
            return True
        name = _without_port(header or "")
        return name in self._allowed or (self._takes_addresses and _address(name) is not None)


def _without_port(header: str) -> str:
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower().rstrip(".")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_wildcard(bound: str) -> bool:
    address = _address(bound)
    return address is not None and address.is_unspecified
