"""Keys of clients: read from a file that is not for all, compared in constant time."""

import hashlib
import hmac
import stat
from pathlib import Path

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.system.access import has_modes

_MAX_BYTES = 1_000_000
_SHORTEST = 16
# A group may read: credentials of systemd and secrets of Kubernetes are given to a service by their group.
_OTHERS = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO


class ApiKeys:
    """The keys of a file, one a line; empty lines and those that begin with `#` are none.

    Only digests of them are kept.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        """Reads the keys.

        Raises:
            ConfigError: the file cannot be read, others may use it, or it holds no key or a short one.
        """
        self._path = path
        self._digests = _read(path)

    def reload(self) -> None:
        """Reads the file again; the keys stay as they are if that fails.

        Raises:
            ConfigError: as when it was first read.
        """
        self._digests = _read(self._path)

    def accepts(self, authorization: str | None) -> bool:
        """Returns True for the header `Bearer KEY` with one of the keys.

        Takes the same time whichever key it is, and however much of one is right.
        """
        scheme, _, key = (authorization or "").partition(" ")
        digest = _digest(key.strip())
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        return any(matches) and scheme.lower() == "bearer"


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _read(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"the key file {path} cannot be read: {error.strerror}") from error
    if has_modes() and mode & _OTHERS:
        raise ConfigError(f"the key file {path} has mode {mode:04o}: others may use it; run chmod 600 {path}")
    if len(content) > _MAX_BYTES:
        raise ConfigError(f"the key file {path} has over {_MAX_BYTES:,} bytes: give one key a line")
    try:
        lines = [line.strip() for line in content.decode("ascii").splitlines()]
    except UnicodeDecodeError as error:
        raise ConfigError(f"the key file {path} holds more than ASCII: a header could not carry such a key") from error
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys:
        raise ConfigError(f"the key file {path} holds no key: write one a line, such as openssl rand -hex 32 makes")
    if any(len(key) < _SHORTEST or " " in key for key in keys):
        raise ConfigError(
            f"the key file {path} has a key with a space or under {_SHORTEST} characters: make longer ones"
        )
    return [_digest(key) for key in keys]
