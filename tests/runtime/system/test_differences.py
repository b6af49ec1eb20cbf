"""What else differs between systems, each difference put on in a process under Linux."""

import os
import platform
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from biogpt_onnx.runtime.system import cores, memory, processes, processor, signals, sockets
from biogpt_onnx.runtime.system.access import has_modes
from biogpt_onnx.runtime.system.cores import allowed_cores, can_choose_cores, kept_to_cores, num_usable_cores


@pytest.fixture
def without_sets_of_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sched_getaffinity", "sched_setaffinity", "process_cpu_count"):
        monkeypatch.delattr(os, name, raising=False)


@pytest.mark.usefixtures("without_sets_of_cores")
def test_where_cores_cannot_be_chosen_all_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 10)
    assert num_usable_cores(tmp_path) == 10
    assert allowed_cores() == list(range(10))
    assert not can_choose_cores()
    with kept_to_cores([1]):
        assert len(allowed_cores()) == 10
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert (num_usable_cores(tmp_path), cores.num_cores()) == (1, 1)


@pytest.mark.usefixtures("without_sets_of_cores")
def test_pythons_own_count_of_usable_cores_is_heeded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 10)
    monkeypatch.setattr(os, "process_cpu_count", lambda: 4, raising=False)
    assert num_usable_cores(tmp_path) == 4


@pytest.mark.usefixtures("windows")
def test_windows_names_its_processor_in_the_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = []

    def open_key(_root: object, key: str) -> Any:
        keys.append(key)
        return nullcontext(key)

    registry = SimpleNamespace(
        HKEY_LOCAL_MACHINE=1, OpenKey=open_key, QueryValueEx=lambda _, name: (f"Processor by {name}  ", 1)
    )
    monkeypatch.setitem(sys.modules, "winreg", registry)
    assert processor.processor_name(tmp_path / "none") == "Processor by ProcessorNameString"
    assert keys == [r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"]
    monkeypatch.setitem(sys.modules, "winreg", None)
    monkeypatch.setattr(platform, "processor", lambda: "Intel64 Family 6")
    assert processor.processor_name(tmp_path / "none") == "Intel64 Family 6"
    assert processor.describe_processor(tmp_path / "none")["model"] == "Intel64 Family 6"


@pytest.mark.usefixtures("macos")
def test_macos_names_its_processor_by_sysctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: object) -> SimpleNamespace:
        assert command[1:] == ["-n", "machdep.cpu.brand_string"]
        return SimpleNamespace(stdout="Apple M9\n")

    monkeypatch.setattr(subprocess, "run", run)
    assert processor.processor_name(tmp_path / "none") == "Apple M9"
    assert processor.describe_processor(tmp_path / "none")["model"] == "Apple M9"


@pytest.mark.usefixtures("macos")
@pytest.mark.parametrize("error", [FileNotFoundError(2, "none"), subprocess.TimeoutExpired("sysctl", 10)])
def test_on_macos_without_sysctl_there_is_pythons_name(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(platform, "processor", lambda: "arm")
    assert processor.processor_name(tmp_path / "none") == "arm"


def test_without_linuxs_files_no_memory_is_known_and_nothing_fails(tmp_path: Path) -> None:
    assert memory.available_memory(tmp_path) is None
    assert memory.process_memory(tmp_path) == {}


def test_linuxs_files_are_read(tmp_path: Path) -> None:
    for name, text in {
        "proc/meminfo": "MemTotal:  4096 kB\nMemAvailable:  2048 kB\n",
        "proc/self/status": "Name:\tpython\nVmRSS:\t  12 kB\nThreads:\t3\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert memory.available_memory(tmp_path) == 2048 * 1024
    assert memory.process_memory(tmp_path) == {"VmRSS": 12 * 1024}


def test_a_system_without_numbers_of_pages_tells_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (memory.total_memory() or 0) > 2**20
    monkeypatch.delattr(os, "sysconf")
    assert memory.total_memory() is None


def test_signals_that_a_system_lacks_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(signal, "SIGHUP")
    monkeypatch.setattr(signal, "SIGBREAK", 21, raising=False)
    assert signals.ending_signals() == (signal.SIGINT, signal.SIGTERM, 21)
    assert signals.reload_signal() is None


def test_the_hang_up_has_a_server_read_its_keys_and_ends_all_else() -> None:
    assert signal.SIGHUP in signals.ending_signals()
    assert signal.SIGHUP not in signals.ending_signals(hang_up=False)
    assert signals.reload_signal() == signal.SIGHUP


@pytest.mark.usefixtures("windows")
def test_on_windows_nobody_is_asked_whether_he_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """There, the question of POSIX systems ends the process that it is about."""

    def kill(*_: object) -> None:
        raise AssertionError("the process would have been ended")

    monkeypatch.setattr(os, "kill", kill)
    assert not processes.has_ended(os.getpid())


def test_a_process_lives_until_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that a dead process has claimed is free again; that of a living one, whoever owns it, is not."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert not processes.has_ended(process.pid)
    process.communicate()
    assert processes.has_ended(process.pid)

    def kill(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "kill", kill)
    assert not processes.has_ended(1)


def test_ctrl_c_on_the_terminal_does_not_reach_a_process_apart_from_it() -> None:
    command = [sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid())"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, **processes.apart_from_terminal()) as process:
        assert process.communicate()[0] == b"True\n"


@pytest.mark.usefixtures("windows")
def test_on_windows_a_process_apart_from_the_terminal_is_a_group_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 512, raising=False)
    assert processes.apart_from_terminal() == {"creationflags": 512}


@pytest.mark.parametrize("action", [processes.halt_group, processes.resume_group, processes.kill_group])
def test_without_groups_of_processes_nothing_is_signalled(
    action: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "killpg")
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("a single process was signalled"))
    action(os.getpid())
    assert processes.own_group() == {}


def test_a_group_of_processes_is_halted_and_ended_with_what_it_started() -> None:
    program = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, **processes.own_group()
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"1\n"
    processes.halt_group(process.pid)
    processes.resume_group(process.pid)
    processes.kill_group(process.pid)
    # The end of what the inner process could write: it has ended as well.
    assert process.stdout.read() == b""
    assert process.wait() == -signal.SIGKILL
    process.communicate()


class FakeSocket:
    def __init__(self) -> None:
        self.options: list[int] = []

    def setsockopt(self, _level: int, option: int, value: int) -> None:
        assert value == 1
        self.options.append(option)


def test_on_windows_no_other_program_gets_the_servers_address(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There, the option of POSIX systems would let any program take over an address that is listened on."""
    fake: Any = FakeSocket()
    sockets.claim_address(fake)
    assert fake.options == [socket.SO_REUSEADDR]
    request.getfixturevalue("windows")
    monkeypatch.setattr(socket, "SO_EXCLUSIVEADDRUSE", -5, raising=False)
    other: Any = FakeSocket()
    sockets.claim_address(other)
    assert other.options == [-5]
    assert not sockets.has_unix_sockets()
    assert sockets.short_temporary_folder() is None


def test_modes_say_nothing_on_windows(request: pytest.FixtureRequest) -> None:
    assert has_modes()
    request.getfixturevalue("windows")
    assert not has_modes()
