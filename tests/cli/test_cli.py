import io
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import biogpt_onnx
from biogpt_onnx.cli import main
from biogpt_onnx.runtime.bundle import WEIGHTS_FILE


def fails(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The error line of a command, which must be all that it prints."""
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def run(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "biogpt_onnx", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, check=False)


def test_a_checkpoint_becomes_a_bundle_that_generates(
    tmp_path: Path, mini_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "bundle"
    assert main(["export", str(mini_checkpoint), "-o", str(bundle)]) == 0
    assert main(["info", str(bundle), "--check"]) == 0
    described = capsys.readouterr().out
    assert "soft prompt 9" in described
    assert f"biogpt-onnx {biogpt_onnx.__version__}" in described.partition("made by:")[2].partition("\n")[0]
    assert main(["generate", str(bundle), "Aspirin", "Insulin", "--max-new-tokens", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:7] for line in lines] == ["Aspirin", "Insulin"]


def test_options_may_stand_between_prompts(mini_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", str(mini_bundle), "Aspirin", "--max-new-tokens=2", "Insulin", "--timings"]) == 0
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 2
    assert "tokens/s" in captured.err


def test_shared_weights_write_the_same_text_and_are_kept(
    mini_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("BIOGPT_ONNX_CACHE", str(cache))
    command = ["generate", str(mini_bundle), "Aspirin inhibits", "--max-new-tokens", "5"]
    assert main([*command, "--prepack"]) == 0
    expected = capsys.readouterr().out
    assert not cache.exists()
    for _ in range(2):
        assert main([*command, "--share-weights"]) == 0
        assert capsys.readouterr().out == expected
    assert len([path for path in cache.iterdir() if path.is_dir()]) == 1


def test_a_cache_that_cannot_be_used_is_one_line(
    mini_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("BIOGPT_ONNX_CACHE", str(tmp_path / "file"))
    assert "BIOGPT_ONNX_CACHE" in fails(capsys, "generate", mini_bundle, "x", "--share-weights")
    assert "prepack False" in fails(capsys, "generate", mini_bundle, "x", "--share-weights", "--no-prepack")


def test_json_holds_everything_about_an_answer(mini_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", str(mini_bundle), "--json", "Aspirin", "--max-new-tokens", "3"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["prompt"] == "Aspirin"
    assert len(answer["token_ids"]) <= 3
    assert {"text", "score", "finish_reason", "sequences", "timings"} <= set(answer)
    assert answer["usage"]["new_tokens"] == len(answer["token_ids"])
    assert "logprobs" not in answer


def test_a_prompt_that_was_shortened_is_noted(mini_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["generate", str(mini_bundle), "patient " * 2000, "--truncation", "left", "--max-new-tokens", "3"]
    assert main(command) == 0
    assert re.fullmatch(r"note: 97\d tokens of the prompt were dropped, it is too long\n", capsys.readouterr().err)
    assert main([*command, "--json"]) == 0
    answer = capsys.readouterr()
    assert (json.loads(answer.out)["usage"]["dropped_tokens"], answer.err) == (979, "")


def test_json_holds_the_most_probable_tokens_where_they_are_asked_for(
    mini_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["generate", str(mini_bundle), "Aspirin", "--max-new-tokens", "2", "--logprobs", "3"]
    assert main([*command, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [token["token_id"] for token in answer["logprobs"]] == answer["token_ids"]
    assert {len(token["top"]) for token in answer["logprobs"]} == {3}
    assert "add --json" in fails(capsys, *command)
    assert "logprobs is -1" in fails(capsys, *command[:-1], "-1", "--json")


def test_prompts_are_read_from_standard_input_one_a_line(mini_bundle: Path) -> None:
    result = run("generate", mini_bundle, "--max-new-tokens", "2", stdin="Aspirin\n\nα-synuclein\r\n".encode())
    assert result.returncode == 0
    first, second = result.stdout.decode().splitlines()
    assert first.startswith("Aspirin")
    assert second.startswith("α-synuclein")
    assert result.stderr == b""


def test_answers_before_a_bad_line_are_not_lost(mini_bundle: Path) -> None:
    result = run("generate", mini_bundle, "--max-new-tokens", "2", stdin=b"Aspirin\nbad \xff line\n")
    assert result.returncode == 2
    assert result.stdout.startswith(b"Aspirin")
    assert result.stderr == b"error: line 2 of standard input is not UTF-8 (byte 4)\n"


def test_no_prompt_at_all_is_an_error(mini_bundle: Path) -> None:
    result = run("generate", mini_bundle)
    assert (result.returncode, result.stderr) == (2, b"error: no prompt: standard input holds no text\n")


@pytest.mark.parametrize("prompt", ["", " ", "\n", "\t \u3000"])
def test_an_empty_prompt_is_a_mistake(mini_bundle: Path, capsys: pytest.CaptureFixture[str], prompt: str) -> None:
    assert "error: the prompt is empty: give a text, or say --no-prompt" in fails(
        capsys, "generate", mini_bundle, prompt
    )
    several = ["Aspirin", prompt, "Insulin"]
    assert "error: prompt 2 of 3 is empty: give a text" in fails(capsys, "generate", mini_bundle, *several)


def test_a_text_without_a_prompt_is_asked_for_by_name(mini_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = biogpt_onnx.load(mini_bundle)
    assert main(["generate", str(mini_bundle), "--no-prompt", "--max-new-tokens", "5"]) == 0
    assert capsys.readouterr().out == model.generate("", max_new_tokens=5).text + "\n"
    sampled = ["--do-sample", "--seed=1", "--num-return-sequences=3", "--max-new-tokens=5"]
    assert main(["generate", str(mini_bundle), "--no-prompt", *sampled]) == 0
    assert len({*capsys.readouterr().out.splitlines()}) == 3
    assert "--no-prompt begins a text from nothing" in fails(capsys, "generate", mini_bundle, "Aspirin", "--no-prompt")


def test_a_reader_that_stops_reading_is_no_error(mini_bundle: Path) -> None:
    command = f"{sys.executable} -m biogpt_onnx generate {mini_bundle} a b c d --max-new-tokens 2 | head -n 1"
    result = subprocess.run(command, shell=True, capture_output=True, check=True)  # noqa: S602 -- no input of others
    assert result.stderr == b""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--max-new-tokens", "0"], "max_new_tokens is 0"),
        (["--min-new-tokens", "100"], "min_new_tokens is 100"),
        (["--stop", ""], "stop_strings"),
        (["--threads", "0"], "threads is 0"),
        (["--device", "cuda"], "device is cuda"),
    ],
)
def test_a_bad_setting_is_one_line_that_names_it(
    mini_bundle: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in fails(capsys, "generate", mini_bundle, "x", *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["conjure"],
        ["generate"],
        ["export", "x"],
        ["generate", "b", "p", "--no-such-option"],
        ["info"],
        ["verify", "b"],
    ],
)
def test_bad_usage_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_a_prompt_that_is_too_long_prints_nothing_but_the_error(
    mini_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "truncation" in fails(capsys, "generate", mini_bundle, "patient " * 2000)


def test_a_missing_bundle_and_a_damaged_one_are_one_line_each(
    tmp_path: Path, mini_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "is not a folder" in fails(capsys, "generate", tmp_path / "none", "x")
    assert "is not a bundle" in fails(capsys, "info", tmp_path)
    damaged = Path(shutil.copytree(mini_bundle, tmp_path / "damaged"))
    (damaged / WEIGHTS_FILE).write_bytes(b"")
    assert "has 0 bytes" in fails(capsys, "generate", damaged, "x")


def test_a_missing_checkpoint_leaves_no_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fails(capsys, "export", tmp_path / "none" / "deep" / "er", "-o", tmp_path / "bundle")
    fails(capsys, "export", "preset:nonsense", "-o", tmp_path / "bundle")
    fails(capsys, "export", tmp_path, "-o", tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_is_ended_leaves_nothing(tmp_path: Path) -> None:
    # Not the other signals, which whoever runs the tests may have had ignored.
    target = tmp_path / "out" / "bundle"
    command = [sys.executable, "-m", "biogpt_onnx", "export", "preset:biogpt", "-o", str(target)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None and not list(tmp_path.glob("out/.bundle.*/*")):
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_an_occupied_target_is_refused(
    tmp_path: Path, mini_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "precious").write_text("x")
    assert "--overwrite" in fails(capsys, "export", mini_checkpoint, "-o", tmp_path)
    assert "not overwritten" in fails(capsys, "export", mini_checkpoint, "-o", tmp_path, "--overwrite")
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_a_traceback_is_shown_only_where_it_is_asked_for(tmp_path: Path) -> None:
    assert b"Traceback" not in run("info", tmp_path).stderr
    assert b"Traceback" in run("info", tmp_path, "--debug").stderr


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_an_interrupted_run_on_prompts_says_which_are_answered(
    mini_bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Prompts(io.BytesIO):
        """Standard input of a line at a time, during which Ctrl-C is pressed before one of them."""

        def read1(self, _size: int | None = -1, /) -> bytes:
            line = self.readline()
            if line == b"Lithium\n":
                raise KeyboardInterrupt
            return line

    for text, note in (
        (b"Aspirin\n\nInsulin\nLithium\n", "note: the prompts up to line 3 of standard input are answered\n"),
        (b"Lithium\n", ""),
    ):
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=Prompts(text), isatty=lambda: False))
        assert main(["generate", str(mini_bundle), "--max-new-tokens", "1"]) == 130
        captured = capsys.readouterr()
        assert captured.err == note
        assert len(captured.out.splitlines()) == (2 if note else 0)


def test_the_progress_of_prompts_is_shown_on_a_terminal(
    mini_bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    assert main(["generate", str(mini_bundle), "Aspirin", "Insulin", "--max-new-tokens=1", "--batch-size=1"]) == 0
    assert "\rprompts:  50 %" in terminal.getvalue()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"Aspirin\nInsulin\n"), isatty=lambda: False))
    assert main(["generate", str(mini_bundle), "--max-new-tokens", "1"]) == 0
    assert "\rprompts: 2\x1b" in terminal.getvalue()
    assert len(capsys.readouterr().out.splitlines()) == 4
