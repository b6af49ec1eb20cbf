"""The script that installs from a wheelhouse: it refuses in one line, and leaves nothing half installed."""

import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from makers.corpora import wait_for
from makers.deployment import DEPLOY, Tool
from makers.wheelhouses import VERSION, Wheelhouse, make_wheelhouse, write_wheel

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the wheels are for Linux")

SCRIPTS = [path for path in DEPLOY.rglob("*.sh") if path.is_file()]


@pytest.fixture
def wheelhouse(tmp_path: Path) -> Wheelhouse:
    return make_wheelhouse(tmp_path / "wheel house")


def assert_refused(run: "subprocess.CompletedProcess[str]", *words: str) -> None:
    assert (run.returncode, run.stdout) == (2, ""), run.stderr
    assert run.stderr.startswith("error: ")
    assert run.stderr.count("\n") == 1
    assert [word for word in words if word not in run.stderr] == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_shellcheck_finds_no_fault_with_a_script(tool: Tool, script: Path) -> None:
    run = tool("shellcheck", "--severity=style", script)
    assert (run.returncode, run.stdout) == (0, "")


def test_it_installs_into_a_folder_named_from_where_the_caller_is(wheelhouse: Wheelhouse, tmp_path: Path) -> None:
    run = wheelhouse.install("my env", "cpu", at=tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
    command = tmp_path / "my env" / "bin" / "biogpt-onnx"
    assert run.stdout == f"biogpt-onnx {VERSION} with cpu: {command}\n"
    assert subprocess.run([command], capture_output=True, text=True, check=True).stdout == "it is installed\n"


def test_neither_settings_nor_packages_of_the_machine_decide_what_is_installed(
    wheelhouse: Wheelhouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "pip.conf"
    settings.write_text("[global]\nno-such-option = 1\nindex-url = http://192.0.2.1/\nuser = true\n", encoding="utf-8")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "target"))
    monkeypatch.setenv("PIP_NO_BINARY", ":all:")
    with zipfile.ZipFile(wheelhouse.folder / "wheels" / "leaf-1.0-py3-none-any.whl") as wheel:
        wheel.extractall(tmp_path / "elsewhere")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "elsewhere"))
    # A newer one, which no lock file names.
    write_wheel(wheelhouse.folder / "wheels", "leaf", "2.0")
    wheelhouse.write_sums()
    assert wheelhouse.install(tmp_path / "new").returncode == 0
    assert [path.name for path in (tmp_path / "new").rglob("leaf-*.dist-info")] == ["leaf-1.0.dist-info"]
    assert not (tmp_path / "target").exists()


def test_an_installation_that_is_ended_leaves_nothing(wheelhouse: Wheelhouse, tmp_path: Path) -> None:
    slow = tmp_path / "slow-python"
    making = f'[ "$2" != venv ] || {{ mkdir "$4"; touch "$4/half"; sleep 60; }}; exec {sys.executable} "$@"'
    slow.write_text(f"#!/bin/sh\n{making}\n", encoding="utf-8")
    slow.chmod(0o755)
    words = ["sh", str(wheelhouse.folder / "install.sh"), "--python", str(slow), str(tmp_path / "new")]
    with subprocess.Popen(words, stderr=subprocess.PIPE, start_new_session=True) as program:
        wait_for((tmp_path / "new" / "half").exists)
        os.killpg(program.pid, signal.SIGTERM)
        program.communicate(timeout=30)
    assert program.returncode == 2
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["wheels/leaf-1.0-py3-none-any.whl", "locks/cpu.txt", "install.sh"])
def test_a_file_that_was_damaged_is_named(wheelhouse: Wheelhouse, tmp_path: Path, name: str) -> None:
    with (wheelhouse.folder / name).open("ab") as file:
        file.write(b"\n")
    assert_refused(wheelhouse.install(tmp_path / "new"), name, "copy the folder again")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["wheels/leaf-1.0-py3-none-any.whl", "locks/cpu.txt", "SHA256SUMS"])
def test_a_file_that_was_lost_is_named(wheelhouse: Wheelhouse, tmp_path: Path, name: str) -> None:
    (wheelhouse.folder / name).unlink()
    assert_refused(wheelhouse.install(tmp_path / "new"), name)
    assert not (tmp_path / "new").exists()


def test_a_wheel_whose_listed_hash_was_forged_too_is_refused_by_its_lock_file(
    wheelhouse: Wheelhouse, tmp_path: Path
) -> None:
    write_wheel(wheelhouse.folder / "wheels", "leaf", "1.0", says="another")
    wheelhouse.write_sums()
    assert_refused(wheelhouse.install(tmp_path / "new"), "leaf==1.0", "lock file")
    assert not (tmp_path / "new").exists()


def test_a_package_that_the_lock_files_forgot_is_no_half_installation(wheelhouse: Wheelhouse, tmp_path: Path) -> None:
    (wheelhouse.folder / "locks" / "cpu.txt").write_text("\n", encoding="utf-8")
    wheelhouse.write_sums()
    assert_refused(wheelhouse.install(tmp_path / "new"), "leaf")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("pythons", "3.9 3.10", ["is Python 3.", "3.9 3.10", "--python"]),
        ("machine", "riscv64", ["this processor is", "riscv64"]),
        ("glibc", "2.999", ["glibc", "2.999 or later"]),
    ],
)
def test_another_machine_than_the_wheels_are_for_is_told_what_they_are_for(
    wheelhouse: Wheelhouse, tmp_path: Path, setting: str, value: str, words: list[str]
) -> None:
    wheelhouse.change(setting, value)
    assert_refused(wheelhouse.install(tmp_path / "new"), *words)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["new", "export"], ["torch", "export-safetensors"]),
        (["new", "no-such"], ["no-such", "cpu"]),
        (["--no-such", "new"], ["--no-such"]),
        ([], ["name the folder"]),
        (["no-such-folder/new"], ["no-such-folder"]),
        (["wheel house"], ["is there already"]),
        (["--python", "no-such-python", "new"], ["no-such-python"]),
        (["--python", "sh", "new"], ["sh"]),
    ],
    ids=" ".join,
)
def test_words_that_make_no_sense_are_refused(
    wheelhouse: Wheelhouse, tmp_path: Path, words: list[str], said: list[str]
) -> None:
    assert_refused(wheelhouse.install(*words), *said)
    assert not (tmp_path / "new").exists()
    assert (wheelhouse.folder / "install.sh").is_file()


def test_a_script_without_its_folder_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "alone"
    folder.mkdir()
    shutil.copy(DEPLOY / "offline" / "install.sh", folder)
    assert_refused(Wheelhouse(folder).install(tmp_path / "new"), "no wheelhouse")


def test_a_folder_that_nobody_may_write_into_is_named(wheelhouse: Wheelhouse) -> None:
    run = wheelhouse.install("/proc/new")
    assert_refused(run, "/proc")
