"""Prompts of the command `generate` that are continued together: which they are, and that nothing else changes."""

import io
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx import BioGPT, PromptError
from biogpt_onnx.cli import main
from biogpt_onnx.cli.arguments.text import numbered_blocks, numbered_lines

LINES = st.lists(
    st.sampled_from([b"a\n", b"\n", b" \n", b"two words\r\n", b"\xef\xbb\xbfb\n", "ß\n".encode(), b"\xff\n"])
)


class Pipe:
    """A stream whose reads return what was written at a time."""

    def __init__(self, writes: Sequence[bytes]) -> None:
        self.writes = [write for write in writes if write]

    def read1(self, _size: int, /) -> bytes:
        return self.writes.pop(0) if self.writes else b""


def all_of(pairs: Any) -> tuple[list[tuple[int, str]], str]:
    """What is yielded before the end, and the error if there is one."""
    found: list[tuple[int, str]] = []
    try:
        for each in pairs:
            found += each
    except PromptError as error:
        return found, str(error)
    return found, ""


@given(lines=LINES, cuts=st.sets(st.integers(0, 40)), size=st.integers(1, 4), last=st.sampled_from([b"", b"end", b" "]))
def test_blocks_hold_the_lines_wherever_the_writes_are_cut(
    lines: list[bytes], cuts: set[int], size: int, last: bytes
) -> None:
    text = b"".join(lines) + last
    bounds = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    writes = [text[start:end] for start, end in pairwise(bounds)]
    expected = all_of([pair] for pair in numbered_lines(io.BytesIO(text), "it"))
    assert all_of(numbered_blocks(Pipe(writes), "it", size)) == expected
    assert all(0 < len(block) <= size for block in numbered_blocks(Pipe([text.replace(b"\xff", b"f")]), "it", size))


def test_no_whole_line_waits_for_another_one() -> None:
    pipe = Pipe([b"first\nsecond\nthi", b"rd\n", b"fourth"])
    blocks = numbered_blocks(pipe, "it", 8)
    assert next(blocks) == [(1, "first"), (2, "second")]
    assert pipe.writes == [b"rd\n", b"fourth"]
    assert [*blocks] == [[(3, "third")], [(4, "fourth")]]


def test_an_interrupted_batch_is_answered_not_at_all(
    mini_bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    generate = BioGPT.generate

    def interrupted(model: BioGPT, prompts: list[str], *arguments: Any, **settings: Any) -> Any:
        if "Lithium" in prompts:
            raise KeyboardInterrupt
        return generate(model, prompts, *arguments, **settings)

    monkeypatch.setattr(BioGPT, "generate", interrupted)
    prompts = io.BytesIO(b"Aspirin\nInsulin\n\nHeparin\nLithium\n")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=prompts, isatty=lambda: False))
    assert main(["generate", str(mini_bundle), "--max-new-tokens", "1", "--batch-size", "2"]) == 130
    captured = capsys.readouterr()
    assert captured.err == "note: the prompts up to line 2 of standard input are answered\n"
    assert len(captured.out.splitlines()) == 2


def test_each_prompt_has_the_same_answer_in_any_batch(mini_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prompts = ["Aspirin", "The patient was treated with", "a", "Insulin is", "In a study of two patients", "b", "c"]
    options = ["--max-new-tokens", "6", "--do-sample", "--seed", "3", "--num-return-sequences", "2"]
    answers = []
    for size in ("1", "2", "7", "100"):
        assert main(["generate", str(mini_bundle), *prompts, *options, "--batch-size", size]) == 0
        answers.append(capsys.readouterr().out)
    assert len(answers[0].splitlines()) == 2 * len(prompts)
    assert answers == answers[:1] * 4
    assert main(["generate", str(mini_bundle), *prompts, *options]) == 0
    assert capsys.readouterr().out == answers[0]


def test_answers_before_a_prompt_that_is_too_long_are_not_lost(
    mini_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["generate", str(mini_bundle), "Aspirin", "Insulin", "a " * 2000, "Lithium", "--max-new-tokens", "1"]
    assert main(command) == 2
    captured = capsys.readouterr()
    assert [line[:7] for line in captured.out.splitlines()] == ["Aspirin", "Insulin"]
    assert captured.err.startswith("error: a prompt has ")
    assert captured.err.count("\n") == 1


def test_a_hyphen_stands_for_standard_input_as_with_the_other_commands(
    mini_bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["generate", str(mini_bundle), "--max-new-tokens", "1"]
    answers = []
    for prompts in ([], ["-"]):
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"Aspirin\n"), isatty=lambda: False))
        assert main([*command, *prompts]) == 0
        answers.append(capsys.readouterr().out)
    assert answers[0].startswith("Aspirin")
    assert answers[0] == answers[1]


def test_a_hyphen_beside_prompts_is_refused(mini_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", str(mini_bundle), "Aspirin", "-"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith('error: "-" stands for the lines of standard input: give it alone')


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--batch-size", "0"], "--batch-size is 0: give a whole number of 1 or more"),
        (["--batch-size", "4", "--timings"], "--timings is about one answer at a time"),
        (["--batch-size", "4", "--max-time", "2"], "--max-time is about one answer at a time"),
    ],
)
def test_a_batch_that_cannot_be(
    mini_bundle: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert main(["generate", str(mini_bundle), "Aspirin", *options]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: {said}")


def test_prompts_share_a_pass_unless_answers_are_timed(
    mini_bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    generate, sizes = BioGPT.generate, []

    def counted(model: BioGPT, prompts: list[str], *arguments: Any, **settings: Any) -> Any:
        sizes.append(len(prompts))
        return generate(model, prompts, *arguments, **settings)

    monkeypatch.setattr(BioGPT, "generate", counted)
    for options, expected in (([], [8, 2]), (["--timings"], [1] * 10), (["--max-time", "60"], [1] * 10)):
        prompts = io.BytesIO(b"Aspirin\n" * 10)
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=prompts, isatty=lambda: False))
        assert main(["generate", str(mini_bundle), "--max-new-tokens", "1", *options]) == 0
        assert (sizes, len(capsys.readouterr().out.splitlines())) == (expected, 10)
        sizes.clear()


def test_a_program_that_waits_for_each_answer_gets_it(mini_bundle: Path) -> None:
    command = [sys.executable, "-m", "biogpt_onnx", "generate", str(mini_bundle), "--max-new-tokens", "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for prompt in (b"Aspirin", b"Insulin", b"Lithium"):
            # Part of a line, and then its end with the beginning of the next one.
            process.stdin.write(prompt[:3])
            process.stdin.flush()
            process.stdin.write(prompt[3:] + b"\n")
            process.stdin.flush()
            assert process.stdout.readline().startswith(prompt)
        process.stdin.write(b"the last one, without an end")
        process.stdin.close()
        assert process.stdout.read().startswith(b"the last one, without an end")
        assert process.wait() == 0
