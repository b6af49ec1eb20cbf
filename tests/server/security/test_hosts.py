"""The server is called by its own names alone."""

import pytest

from biogpt_onnx.server.security.hosts import HostNames

LOCAL = ["localhost", "localhost:8000", "LOCALHOST", "127.0.0.1:1", "[::1]:8000", "[::1]"]
FOREIGN = ["evil.example", "evil.example:8000", "", None, "localhost.evil.example", "192.168.1.5", "[fe80::1]"]


@pytest.mark.parametrize("header", LOCAL)
def test_local_names_are_accepted(header: str) -> None:
    assert HostNames([], "127.0.0.1").accepts(header)


@pytest.mark.parametrize("header", FOREIGN)
def test_other_names_are_not(header: str | None) -> None:
    assert not HostNames([], "127.0.0.1").accepts(header)


def test_a_name_may_be_allowed_or_all() -> None:
    assert HostNames(["Model.Example"], "127.0.0.1").accepts("model.example:443")
    assert not HostNames(["model.example"], "127.0.0.1").accepts("evil.example")
    assert HostNames(["*"], "127.0.0.1").accepts("evil.example")


def test_a_server_of_all_addresses_takes_addresses_but_no_names() -> None:
    for bound in ("0.0.0.0", "::"):  # noqa: S104 -- nothing is bound
        hosts = HostNames([], bound)
        assert hosts.accepts("192.168.1.5:8000")
        assert hosts.accepts("[fe80::1]:8000")
        assert not hosts.accepts("evil.example")


def test_no_browser_reaches_a_socket_of_the_file_system() -> None:
    assert HostNames([], None).accepts("anything")
