"""Dictionaries as they are, and as they should not be."""

from pathlib import Path

import pytest

from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.checkpoint.placeholder_vocabulary import SMALLEST_SIZE, placeholder_vocabulary
from biogpt_onnx.export.checkpoint.vocabulary import Vocabulary, find_vocabulary, soft_prompt_size
from biogpt_onnx.runtime.errors import CheckpointError
from biogpt_onnx.runtime.tokenizer.vocabulary import VocabularyError

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")


def write(folder: Path, dictionary: str, codes: str = "a b 1\n") -> Path:
    (folder / "dict.txt").write_bytes(dictionary.encode())
    (folder / "bpecodes").write_bytes(codes.encode())
    return folder


def test_an_id_is_its_line_after_the_special_tokens(tmp_path: Path) -> None:
    found = find_vocabulary(write(tmp_path, "the 9\na@@ 8\nab@@ 7\nab 6\n<s> 0\nmadeupword0000 0\n"))
    assert found.symbols == (*SPECIAL, "the</w>", "a", "ab", "ab</w>", "<s></w>", "madeupword0000</w>")
    assert found.merges == b"a b 1\n"


def test_symbols_with_odd_characters_keep_them(tmp_path: Path) -> None:
    found = find_vocabulary(write(tmp_path, "ab@@ 9\n@-@ 9\n@@@ 9\n\u00a0x 8\n\u2028@@ 7\n# 6\n\x85 1\n"))
    assert found.symbols[5:] == ("@-@</w>", "@", "\u00a0x</w>", "\u2028", "#</w>", "\x85</w>")


def test_fairseqs_overwrite_flag_is_no_part_of_the_symbol(tmp_path: Path) -> None:
    found = find_vocabulary(write(tmp_path, "ab@@ 9 #fairseq:overwrite\r\nthe 5\r\n"))
    assert found.symbols == (*SPECIAL, "ab", "the</w>")


@pytest.mark.parametrize(
    ("dictionary", "part"),
    [
        ("the 9\nthe\n", "dict.txt, line 2: expected `symbol count`"),
        ("the 9\n\nof 3\n", "dict.txt, line 2: expected `symbol count`"),
        ("the nine\n", "dict.txt, line 1: expected `symbol count`"),
        ("the 9\nof 8\nthe 7\n", "dict.txt, line 3: 'the</w>' for the second time"),
        ("<s>@@ 9\n", "dict.txt, line 1: '<s>' for the second time"),
    ],
)
def test_a_line_that_would_shift_every_id_is_named(tmp_path: Path, dictionary: str, part: str) -> None:
    with pytest.raises(VocabularyError) as caught:
        find_vocabulary(write(tmp_path, dictionary))
    assert part in str(caught.value)


def test_a_dictionary_that_is_no_text_is_named(tmp_path: Path) -> None:
    write(tmp_path, "")
    (tmp_path / "dict.txt").write_bytes(b"\xff\xfe 1\n")
    with pytest.raises(VocabularyError, match=r"dict\.txt is not UTF-8"):
        find_vocabulary(tmp_path)


def test_merges_of_another_dictionary_are_recognised(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"bpecodes does not belong to dict\.txt: 2 of its 3 merges"):
        find_vocabulary(write(tmp_path, "ab@@ 9\n", "a b 3\nc d 2\ne f 1\n"))


@pytest.mark.parametrize(
    ("end", "count"),
    [
        ("learned1 0\nlearned2 0\n", 2),
        ("learned1@@ 0\n", 1),
        ("learned 0\n", 0),
        ("learned2 0\n", 0),
        ("learned1 0\nthe 0\n", 0),
        ("learned99999999999 0\n", 0),
    ],
)
def test_only_a_numbered_run_at_the_end_is_a_soft_prompt(tmp_path: Path, end: str, count: int) -> None:
    assert find_vocabulary(write(tmp_path, "ab@@ 9\n" + end)).num_learned == count


@pytest.mark.parametrize("size", [0, 1, 9, 256])
def test_rows_beyond_the_vocabulary_are_counted(size: int) -> None:
    assert soft_prompt_size(5 + size, Vocabulary((*SPECIAL, "a"), b"", num_learned=0)) == size


@pytest.mark.parametrize("num_rows", [4, 262])
def test_a_vocabulary_of_another_size_is_refused(num_rows: int) -> None:
    with pytest.raises(CheckpointError, match="it is not this checkpoint's"):
        soft_prompt_size(num_rows, Vocabulary((*SPECIAL, "a"), b""))


def test_listed_soft_prompt_symbols_must_be_as_many_as_their_rows() -> None:
    with pytest.raises(CheckpointError, match="ends in learned1 to learned9, but the embedding has 8 rows"):
        soft_prompt_size(13, Vocabulary((*SPECIAL, "a"), b"", num_learned=9))


@pytest.mark.parametrize(
    ("num_rows", "num_symbols", "hint"),
    [
        (57_717, 42_384, "this is BioGPT-Large with the base dictionary"),
        (57_726, 42_384, "this is BioGPT-Large with the base dictionary"),
        (42_384, 57_717, "this is BioGPT with the Large dictionary"),
        (42_393, 57_717, "this is BioGPT with the Large dictionary"),
    ],
)
def test_the_other_published_models_dictionary_is_recognised(num_rows: int, num_symbols: int, hint: str) -> None:
    with pytest.raises(CheckpointError, match=hint):
        soft_prompt_size(num_rows, Vocabulary(tuple(map(str, range(num_symbols))), b""))


@pytest.mark.parametrize("size", [SMALLEST_SIZE, 200, 311, 5000])
def test_placeholders_leave_no_ascii_word_unknown(size: int) -> None:
    symbols, merges = placeholder_vocabulary(size)
    assert len(symbols) == len(set(symbols)) == size
    assert symbols[:4] == SPECIAL
    for character in map(chr, range(0x21, 0x7F)):
        assert character in symbols
        assert character + "</w>" in symbols
    for line in merges.decode().splitlines():
        left, right, count = line.split(" ")
        assert {left, right, left + right} <= set(symbols)
        assert int(count) > 0


def test_placeholders_hold_what_moses_writes() -> None:
    symbols, _ = placeholder_vocabulary(311)
    assert {"&amp;</w>", "&apos;", "&apos;</w>", "&#124;</w>", "&#91;</w>", "@-@</w>", "the</w>"} <= set(symbols)


def test_a_vocabulary_too_small_for_ascii_is_refused() -> None:
    with pytest.raises(ValueError, match=f"it takes {SMALLEST_SIZE}"):
        placeholder_vocabulary(SMALLEST_SIZE - 1)


@pytest.mark.parametrize(("name", "size", "num_merges"), [("biogpt", 42_384, 40_000), ("biogpt-large", 57_717, 50_000)])
def test_the_published_dictionaries_are_read_whole(name: str, size: int, num_merges: int, data_folder: Path) -> None:
    folder = data_folder / name
    checkpoint = open_checkpoint(f"preset:{name}", vocabulary=folder)
    assert len(set(checkpoint.symbols)) == size
    assert checkpoint.merges == (folder / "bpecodes").read_bytes()
    assert checkpoint.merges.count(b"\n") == num_merges
    first_line = (folder / "dict.txt").read_text(encoding="utf-8").partition(" ")[0]
    assert checkpoint.symbols[4] == first_line + "</w>"


def test_the_published_dictionaries_do_not_mix(tmp_path: Path, data_folder: Path) -> None:
    base, large = data_folder / "biogpt", data_folder / "biogpt-large"
    with pytest.raises(CheckpointError, match="this is BioGPT-Large with the base dictionary"):
        open_checkpoint("preset:biogpt-large", vocabulary=base)
    for symbols, merges in ((base, large), (large, base)):
        (tmp_path / "dict.txt").write_bytes((symbols / "dict.txt").read_bytes())
        (tmp_path / "bpecodes").write_bytes((merges / "bpecodes").read_bytes())
        with pytest.raises(CheckpointError, match="bpecodes does not belong to dict"):
            find_vocabulary(tmp_path)
