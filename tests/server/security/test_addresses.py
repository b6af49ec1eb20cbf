"""Addresses that others reach need keys, and what cannot be bound is one clear line."""

import socket
import stat
from contextlib import nullcontext
from pathlib import Path

import pytest

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.system import kind
from biogpt_onnx.server.security.addresses import open_address, open_unix_socket


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 -- it is refused
def test_other_addresses_need_keys(host: str) -> None:
    with pytest.raises(ConfigError, match="can be reached from other machines: give --api-key-file"):
        open_address(host, 0, has_keys=False)


def test_all_addresses_are_bound_with_keys() -> None:
    with open_address("0.0.0.0", 0, has_keys=True) as bound:  # noqa: S104 -- for a moment
        assert bound.getsockname()[1] > 0


def test_a_port_that_is_taken_is_an_error() -> None:
    with open_address("127.0.0.1", 0, has_keys=False) as bound:
        port = bound.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}: Address already in use: give another --port"):
            open_address("127.0.0.1", port, has_keys=False)


@pytest.mark.parametrize("host", ["no-such-name.invalid", "300.1.1.1", "", "a" * 100])
def test_a_name_that_is_no_address_is_an_error(host: str) -> None:
    with pytest.raises(ConfigError, match="--host"):
        open_address(host, 0, has_keys=False)


def test_a_socket_is_for_owner_and_group(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with open_unix_socket(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        with pytest.raises(ConfigError, match="another server listens on it"):
            open_unix_socket(path)
    # It was left behind: the next server takes its place.
    with open_unix_socket(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_another_file_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("content")
    with pytest.raises(ConfigError, match="is another file"):
        open_unix_socket(path)
    assert path.read_text() == "content"


def test_a_path_that_cannot_be_bound_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none" / "socket", tmp_path / ("x" * 200)):
        with pytest.raises(ConfigError, match="--unix-socket"):
            open_unix_socket(path)


def test_a_system_without_sockets_in_files_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind, "NAME", kind.WINDOWS)
    with pytest.raises(ConfigError, match="this system has no sockets in the file system, use --host and --port"):
        open_unix_socket(tmp_path / "socket")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("found", "needs_keys"), [("127.0.0.9", False), ("192.0.2.1", True)])
def test_a_name_counts_as_the_address_that_it_leads_to(
    found: str, monkeypatch: pytest.MonkeyPatch, *, needs_keys: bool
) -> None:
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (found, 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)
    with pytest.raises(ConfigError, match="can be reached from other") if needs_keys else nullcontext():
        open_address("model.example", 0, has_keys=False).close()
