"""What surrounds a command: its standard streams, and interrupts at any time."""

import argparse
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx import PromptError
from biogpt_onnx.cli import main
from biogpt_onnx.cli.arguments.text import text_lines
from biogpt_onnx.cli.termination import Terminated, terminable
from biogpt_onnx.runtime.backends.chunks import CHUNK_TOKENS
from biogpt_onnx.runtime.backends.cpu.prompts import prefill
from biogpt_onnx.runtime.decoding.limits import Limits
from makers.models import FakeModel

ROOT = Path(__file__).parents[2]
PROMPT = "Parkinson\u2019s \u03b2-blocker"
INTERRUPTED = 130

posix_only = pytest.mark.skipif(os.name != "posix", reason="closes descriptors by the shell")


def given(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))


def answers(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, list[int]]]:
    found = map(json.loads, capsys.readouterr().out.splitlines())
    return [(answer["prompt"], answer["token_ids"]) for answer in found]


def test_a_byte_order_mark_on_standard_input_changes_no_answer(
    mini_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["generate", str(mini_bundle), "--json", "--max-new-tokens", "4"]
    given(monkeypatch, b"Aspirin\nInsulin\n")
    assert main(command) == 0
    plain = answers(capsys)
    given(monkeypatch, b"\xef\xbb\xbfAspirin\r\n\n\xef\xbb\xbfInsulin")
    assert main(command) == 0
    assert answers(capsys) == plain
    assert [prompt for prompt, _ in plain] == ["Aspirin", "Insulin"]


def test_lines_that_are_not_utf8_are_named() -> None:
    assert list(text_lines([b"\xef\xbb\xbfa\r\n", b" \n", b"b"], "notes")) == ["a", "b"]
    with pytest.raises(PromptError, match=r"line 2 of notes is not UTF-8 \(byte 1\)"):
        list(text_lines([b"a\n", b"b\xff\n"], "notes"))


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252", "utf-16"])
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_output_is_utf8_whatever_the_locale(
    encoding: str, options: list[str], mini_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    assert main(["generate", str(mini_bundle), PROMPT, "--max-new-tokens", "2", *options]) == 0
    text = written.getvalue().decode("utf-8")
    assert (json.loads(text)["prompt"] if options else text[: len(PROMPT)]) == PROMPT


def started(*arguments: str | Path, redirected: str = "") -> "subprocess.CompletedProcess[bytes]":
    """Runs a command in a process of its own, whose standard streams the shell redirects."""
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirected}', "sh", sys.executable, "-m", "biogpt_onnx", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
    )


def assert_one_error(run: "subprocess.CompletedProcess[bytes]", about: str) -> None:
    assert run.returncode == 2
    assert run.stdout == b""
    (line,) = run.stderr.decode().splitlines()
    assert line.startswith("error: ")
    assert about in line


@posix_only
@pytest.mark.parametrize(("command", "options"), [("generate", []), ("relations", ["--task", "bc5cdr"])])
def test_a_closed_standard_input_is_one_line(command: str, options: list[str], mini_bundle: Path) -> None:
    assert_one_error(started(command, mini_bundle, *options, redirected="<&-"), "standard input is closed")


@posix_only
def test_a_closed_standard_output_is_one_line(mini_bundle: Path) -> None:
    assert_one_error(started("info", mini_bundle, redirected=">&-"), "standard output is closed")
    run = started("generate", mini_bundle, "Aspirin", "--max-new-tokens", "2", redirected=">&-")
    assert_one_error(run, "standard output is closed")


@posix_only
def test_closed_streams_do_not_matter_where_files_are_named(mini_bundle: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "in.txt", tmp_path / "out.jsonl"
    source.write_text("Lithium caused tremor.\n", encoding="utf-8")
    command = ("relations", mini_bundle, source, "-o", target, "--task", "bc5cdr")
    run = started(*command, redirected="<&- >&- 2>&-")
    assert run.returncode == 0
    assert json.loads(target.read_text(encoding="utf-8"))["line"] == 1


@posix_only
def test_an_error_with_standard_error_closed_is_not_written_to_standard_output(tmp_path: Path) -> None:
    run = started("info", tmp_path / "missing", redirected="2>&-")
    assert (run.returncode, run.stdout) == (2, b"")


@pytest.fixture
def interrupting(tmp_path: Path) -> dict[str, str]:
    """An environment in which the first import of numpy is interrupted, and would then go on."""
    folder = tmp_path / "stand-in"
    (folder / "numpy").mkdir(parents=True)
    interrupt = "import signal, time\nsignal.raise_signal(signal.SIGINT)\ntime.sleep(60)\n"
    (folder / "numpy" / "__init__.py").write_text(interrupt, encoding="utf-8")
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT), *sys.path])}


@pytest.mark.parametrize("as_script", [False, True])
def test_an_interrupt_while_importing_ends_quietly(
    as_script: bool,  # noqa: FBT001 -- a parameter of the test
    interrupting: dict[str, str],
    tmp_path: Path,
) -> None:
    script = tmp_path / "biogpt-onnx"
    script.write_text("import sys\nfrom biogpt_onnx.cli import main\nsys.exit(main())\n", encoding="utf-8")
    program = [str(script)] if as_script else ["-m", "biogpt_onnx"]
    run = subprocess.run(
        [sys.executable, *program, "generate", "bundle"], capture_output=True, check=False, env=interrupting
    )
    assert (run.returncode, run.stdout, run.stderr) == (INTERRUPTED, b"", b"")


def test_a_program_that_imports_the_package_is_interrupted_as_ever(
    interrupting: dict[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "program.py"
    program = "try:\n    from biogpt_onnx import load\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
    script.write_text(program, encoding="utf-8")
    run = subprocess.run([sys.executable, str(script)], capture_output=True, check=True, env=interrupting)
    assert run.stdout.split() == [b"interrupted"]


def test_an_interrupt_while_arguments_are_parsed_ends_quietly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: argparse.ArgumentParser) -> str:
        signal.raise_signal(signal.SIGINT)
        return ""

    # Python 3.11 asks for it before it saves what it restores in the end.
    monkeypatch.setattr(argparse.ArgumentParser, "format_usage", interrupted)
    assert main(["generate", "bundle", "A prompt"]) == INTERRUPTED
    assert capsys.readouterr() == ("", "")


def test_a_command_that_runs_heeds_interrupts_again() -> None:
    code = (
        "import sys; sys.argv = ['biogpt-onnx']\n"
        "import signal, biogpt_onnx.cli\n"
        "before = signal.getsignal(signal.SIGINT)\n"
        "try:\n    biogpt_onnx.cli.main(['--version'])\nexcept SystemExit:\n    pass\n"
        "assert before is not signal.default_int_handler\n"
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, stdout=subprocess.DEVNULL)


def test_an_interrupt_that_a_library_turns_into_its_own_error_ends_the_command() -> None:
    def interrupted() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as error:
            raise ImportError("initialization failed") from error

    with pytest.raises(Terminated) as ended, terminable():
        interrupted()
    assert ended.value.signal_number == signal.SIGINT


def test_an_error_without_an_interrupt_stays_what_it_is() -> None:
    with pytest.raises(ImportError, match="initialization failed"), terminable():
        raise ImportError("initialization failed")


def test_an_interrupt_while_a_long_prompt_is_read_ends_behind_the_chunk_at_hand() -> None:
    class Interrupted(FakeModel):
        def forward(self, *arguments: Any, **more: Any) -> npt.NDArray[np.float32]:
            logits = super().forward(*arguments, **more)
            signal.raise_signal(signal.SIGINT)
            return logits

    model = Interrupted(lambda _: 5, max_positions=4 * CHUNK_TOKENS)
    prompt = [2] * (3 * CHUNK_TOKENS)
    with pytest.raises(KeyboardInterrupt):
        prefill(model, prompt, model.new_cache(1, len(prompt)), Limits())
    assert model.shapes == [(1, CHUNK_TOKENS)]


def test_words_are_read_where_no_process_could_be_started() -> None:
    code = (
        "import _multiprocessing\n"
        "class Refused:\n"
        "    SEM_VALUE_MAX = 1\n"
        "    def __init__(self, *_, **__): raise OSError(30, 'Read-only file system')\n"
        "_multiprocessing.SemLock = Refused\n"
        "from biogpt_onnx.runtime.tokenizer.moses import warm_up\n"
        "warm_up()\n"
        "import joblib._multiprocessing_helpers as helpers\n"
        "assert helpers.mp is None\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    program = [sys.executable, "-W", "error::UserWarning", "-c", code]
    run = subprocess.run(program, capture_output=True, check=False, env=environment)
    assert run.returncode == 0, run.stderr.decode()
