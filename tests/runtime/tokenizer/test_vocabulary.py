import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from biogpt_onnx.runtime.tokenizer.vocabulary import VocabularyError, read_merges, read_symbols

SPECIAL = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "file"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_symbols_come_in_the_order_of_their_ids_whatever_the_order_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps({"b</w>": 5, "a": 4, **SPECIAL}))
    assert read_symbols(path) == ("<s>", "<pad>", "</s>", "<unk>", "a", "b</w>")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "is not JSON"),
        ("[1]", "is not a JSON object of symbols to ids"),
        (b"\xff", "is not UTF-8"),
        (json.dumps({**SPECIAL, "a": 4.0}), "is not a JSON object of symbols to ids"),
        (json.dumps({**SPECIAL, "a": 5}), "the ids of 5 symbols are not 0 to 4"),
        (json.dumps({**SPECIAL, "a": 4})[:-1] + ', "a": 5}', "holds 'a' more than once"),
        (json.dumps({"a": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}), "<s> must be id 0, is missing"),
    ],
)
def test_a_vocabulary_that_would_give_wrong_ids_is_refused(tmp_path: Path, content: str | bytes, problem: str) -> None:
    with pytest.raises(VocabularyError, match=problem):
        read_symbols(written(tmp_path, content))


@pytest.mark.parametrize(
    "content", ["a b 9\nc d</w> 1\n", "a b\nc d</w>", "a b 9\r\nc d</w> 1\r\n", "a b 9 x\nc d</w>\r\n"]
)
def test_merges_are_read_with_and_without_counts_and_at_any_end_of_line(tmp_path: Path, content: str) -> None:
    assert read_merges(written(tmp_path, content)) == (("a", "b"), ("c", "d</w>"))


def test_a_symbol_may_hold_white_space_that_is_no_space(tmp_path: Path) -> None:
    assert read_merges(written(tmp_path, "a\u2028 \u00a0b 1\n")) == (("a\u2028", "\u00a0b"),)


@pytest.mark.parametrize("content", ["a b 9\nc\n", "a b 9\n\nc d 1\n", "a b 9\nc  1\n"])
def test_a_line_without_a_pair_is_named(tmp_path: Path, content: str) -> None:
    with pytest.raises(VocabularyError, match="line 2: expected `left right count`"):
        read_merges(written(tmp_path, content))


def test_how_many_lines_are_without_a_pair_is_said(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match=r"line 1: .*\(3 such lines\)"):
        read_merges(written(tmp_path, "a\na b\n\nc"))


def test_every_problem_of_a_vocabulary_is_named_at_once(tmp_path: Path) -> None:
    content = '{"<s>": 0, "<pad>": 2, "</s>": 1, "a": 4, "a": 4}'
    with pytest.raises(VocabularyError) as caught:
        read_symbols(written(tmp_path, content))
    assert caught.value.problems == (
        "file holds 'a' more than once",
        "file: the ids of 5 symbols are not 0 to 4",
        "file: <pad> must be id 1, is 2",
        "file: </s> must be id 2, is 1",
        "file: <unk> must be id 3, is missing",
    )


@pytest.mark.parametrize("read", [read_symbols, read_merges])
def test_a_file_that_is_no_vocabulary_is_not_read_into_memory(tmp_path: Path, read: Callable[[Path], object]) -> None:
    path = written(tmp_path, "")
    os.truncate(path, 64 * 1024 * 1024 + 1)
    with pytest.raises(VocabularyError, match="file has 67,108,865 bytes, which no vocabulary has"):
        read(path)


def test_a_file_that_cannot_be_read_and_the_first_byte_that_is_no_utf_8_are_named(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match=r"absent cannot be read \(No such file or directory\)"):
        read_merges(tmp_path / "absent")
    with pytest.raises(VocabularyError, match=r"file is not UTF-8 \(byte 1,024\)"):
        read_merges(written(tmp_path, b"a" * 1024 + b"\xff"))
