import re
from pathlib import Path

import pytest

from makers.deployment import DEPLOY, Serve, Tool, served, unit_settings, values

UNIT = DEPLOY / "systemd" / "biogpt-onnx.service"
SOCKET = DEPLOY / "systemd" / "unix-socket.conf"
EDGE = DEPLOY / "edge" / "edge.conf"
FORMS = {"tcp": (UNIT,), "unix socket": (UNIT, SOCKET), "edge": (UNIT, EDGE)}
MOST_EXPOSURE = {"tcp": 15, "unix socket": 10, "edge": 10}
"""Of 100, as `systemd-analyze security` counts: 12, 7 and 7 when this was written."""


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def installed(form: str, tmp_path: Path) -> Path:
    """The unit as it would be installed, of a program that is there."""
    unit = tmp_path / UNIT.name
    for path in FORMS[form]:
        target = unit if path == UNIT else tmp_path / f"{UNIT.name}.d" / path.name
        target.parent.mkdir(exist_ok=True)
        text = path.read_text(encoding="utf-8")
        target.write_text(text.replace("/opt/biogpt-onnx/bin/biogpt-onnx", "/bin/sh"), encoding="utf-8")
    return unit


def test_systemd_finds_no_fault_with_the_unit(tool: Tool, installed: Path) -> None:
    run = tool("systemd-analyze", "verify", "--man=no", installed)
    about_it = [line for line in run.stderr.splitlines() if "biogpt-onnx" in line or str(installed.parent) in line]
    assert (run.returncode, about_it) == (0, [])


def test_systemd_would_find_a_fault_in_the_drop_in(tool: Tool, installed: Path, form: str) -> None:
    if form == "tcp":
        pytest.skip("the unit alone")
    with (installed.with_name(f"{UNIT.name}.d") / FORMS[form][1].name).open("a", encoding="utf-8") as drop_in:
        drop_in.write("PrivateNetwrk=yes\n")
    assert "PrivateNetwrk" in tool("systemd-analyze", "verify", "--man=no", installed).stderr


def test_the_service_is_as_confined_as_systemd_can_make_it(tool: Tool, installed: Path, form: str) -> None:
    threshold = f"--threshold={MOST_EXPOSURE[form]}"
    run = tool("systemd-analyze", "security", "--offline=true", "--no-pager", threshold, installed)
    if "ffline" in run.stderr:
        pytest.skip("this systemd-analyze reads no unit that is not loaded")
    assert run.returncode == 0, run.stdout[-400:]


def test_the_service_starts_the_server_with_options_that_it_has(form: str, serve: Serve) -> None:
    settings = unit_settings(*FORMS[form])
    (command,) = values(settings, "ExecStart")
    options = serve(served(command))
    if form != "edge":
        (credential,) = values(settings, "LoadCredential")
        assert Path(options.api_key_file).name == credential.partition(":")[0]
    (stop,) = values(settings, "TimeoutStopSec")
    assert float(stop) > options.drain_seconds
    if form == "tcp":
        assert (options.host, options.port, options.unix_socket) == ("127.0.0.1", 8000, None)
    else:
        (folder,) = values(settings, "RuntimeDirectory")
        assert Path(options.unix_socket).parent == Path("/run") / folder


def test_a_mistake_is_not_tried_again_and_signals_reach_the_server_alone() -> None:
    settings = unit_settings(UNIT)
    assert values(settings, "RestartPreventExitStatus") == ["2"]
    assert values(settings, "KillSignal") == ["SIGTERM"]
    assert values(settings, "KillMode") == ["mixed"]
    assert values(settings, "ExecReload") == ["/bin/sh -c 'kill -HUP $MAINPID'"]


def test_the_unix_socket_needs_no_network() -> None:
    settings = unit_settings(UNIT, SOCKET)
    assert values(settings, "PrivateNetwork") == ["yes"]
    assert values(settings, "RestrictAddressFamilies") == ["AF_UNIX"]
    assert len(values(settings, "ExecStart")) == 1


def test_a_service_on_tcp_reaches_no_other_machine() -> None:
    settings = unit_settings(UNIT)
    assert values(settings, "IPAddressDeny") == ["any"]
    assert values(settings, "IPAddressAllow") == ["localhost"]


def test_no_prompt_is_written_to_a_disk_by_the_system() -> None:
    settings = unit_settings(UNIT)
    assert values(settings, "MemorySwapMax") == ["0"]
    assert values(settings, "LimitCORE") == ["0"]


def test_every_setting_stands_in_its_section() -> None:
    for path in (UNIT, SOCKET):
        assert {section for section, _, _ in unit_settings(path)} <= {"Unit", "Service", "Install"}
        assert not re.search(r"[ \t]$", path.read_text(encoding="utf-8"), re.MULTILINE)
