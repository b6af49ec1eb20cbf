"""Added tokens, read and written as transformers' own tokenizer does."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.runtime.tokenizer.added_tokens import AddedToken, read_added_tokens, tokenizer_config
from biogpt_onnx.runtime.tokenizer.vocabulary import VocabularyError, read_merges, read_symbols

MARKS = (
    AddedToken(8000, "<e1>"),
    AddedToken(8001, "</e1>"),
    AddedToken(8002, "<e1"),
    AddedToken(8003, "[SEP]", is_special=True),
    AddedToken(8004, "[PAD]", is_special=True, is_control=True),
    AddedToken(8005, "two words"),
    AddedToken(8006, "alone", single_word=True),
    AddedToken(8007, "@left", lstrip=True),
    AddedToken(8008, "right@", rstrip=True),
    AddedToken(8009, "R&amp;D"),
)


@pytest.fixture(scope="module")
def ours(mini_checkpoint: Path) -> BioGptTokenizer:
    symbols, merges = read_symbols(mini_checkpoint / "vocab.json"), read_merges(mini_checkpoint / "merges.txt")
    return BioGptTokenizer(symbols, merges, soft_prompt_size=2, added_tokens=MARKS)


@pytest.fixture(scope="module")
def theirs(mini_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("tokenizer")
    for name in ("vocab.json", "merges.txt"):
        (folder / name).write_bytes((mini_checkpoint / name).read_bytes())
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config(MARKS, {"pad_token": "[PAD]"})))
    return transformers.BioGptTokenizer.from_pretrained(str(folder))


def test_the_text_of_an_added_token_becomes_its_id(ours: BioGptTokenizer) -> None:
    ids = ours.encode("The drug <e1>aspirin</e1> helps.")
    assert [number for number in ids if number >= 8000] == [8000, 8001]
    assert ours.encode("two words")[1:] == [8005]
    assert ours.vocab_size == 8012
    assert ours.soft_prompt_ids == (8010, 8011)
    assert ours.id_to_symbol(8001) == "</e1>"
    assert ours.symbol_to_id("</e1>") == 8001


def test_tokens_that_could_end_a_prompt_are_text_unless_the_caller_says_otherwise(ours: BioGptTokenizer) -> None:
    assert 8004 not in ours.encode("a [PAD] b")
    assert 8004 in ours.encode("a [PAD] b", special_tokens=True)
    assert 8003 in ours.encode("a [SEP] b")


def test_symbols_and_ids_of_a_text_are_the_same_tokens(ours: BioGptTokenizer) -> None:
    text = "The <e1>drug</e1> [SEP] alone."
    assert [ours.symbol_to_id(symbol) for symbol in ours.tokenize(text)] == ours.encode(text)[1:]


def test_spans_are_those_of_the_text_around_added_tokens_too(ours: BioGptTokenizer) -> None:
    text = "The  <e1>drug</e1> (two words) helps “alone”; R&amp;D, @left right@  end."
    spans = ours.tokenize_with_spans(text)
    assert [span.symbol for span in spans] == ours.tokenize(text)
    assert [text[span.start : span.end] for span in spans if span.symbol in {"<e1>", "two words", "R&amp;D"}] == [
        "<e1>",
        "two words",
        "R&amp;D",
    ]
    ends = [span.end for span in spans]
    assert ends == sorted(ends)
    words = [span.word for span in spans]
    assert words == sorted(words)
    normalized = ours.tokenize_with_spans(text, normalize_punctuation=True)
    assert [text[span.start : span.end] for span in normalized if span.symbol == "&quot;</w>"] == ["“", "”"]


def test_punctuation_is_normalized_beside_added_tokens_and_not_in_them(mini_checkpoint: Path) -> None:
    symbols, merges = read_symbols(mini_checkpoint / "vocab.json"), read_merges(mini_checkpoint / "merges.txt")
    tokenizer = BioGptTokenizer(symbols, merges, added_tokens=[AddedToken(8000, "«mark»")])
    ids = tokenizer.encode("«mark» “word”", normalize_punctuation=True)
    assert ids == [2, 8000, *tokenizer.encode('"word"')[1:]]


def test_ids_are_those_of_transformers(ours: BioGptTokenizer, theirs: Any) -> None:
    generator = random.Random(0)  # noqa: S311 -- repeatable
    pieces = [*(token.content for token in MARKS), " ", "  ", "the", "drug", ".", "-", "'s", "(", "<e", "1>", "\n", "é"]
    for _ in range(400):
        text = "".join(generator.choices(pieces, k=generator.randint(1, 9)))
        assert ours.encode(text, special_tokens=True) == theirs(text)["input_ids"], repr(text)


def test_texts_are_those_of_transformers_5(ours: BioGptTokenizer, theirs: Any) -> None:
    transformers = pytest.importorskip("transformers")
    if int(transformers.__version__.partition(".")[0]) < 5:
        pytest.skip("sets added tokens off by spaces")
    generator = random.Random(1)  # noqa: S311 -- repeatable
    for _ in range(300):
        ids = generator.choices([*range(2, 400), *range(8000, 8010)], k=generator.randint(1, 9))
        for skip in (True, False):
            expected = theirs.decode(ids, skip_special_tokens=skip, clean_up_tokenization_spaces=False)
            assert ours.decode(ids, skip_special_tokens=skip) == expected, ids


def test_the_file_that_names_them_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer_config.json"
    path.write_text(json.dumps(tokenizer_config(MARKS, {"pad_token": "[PAD]"})))
    assert read_added_tokens(path) == MARKS


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        ('{"added_tokens_decoder": []}', None),
        ('{"added_tokens_decoder": [1]}', "is not an object of ids to tokens"),
        ('{"added_tokens_decoder": {"-1": {"content": "x"}}}', "names no token"),
        ('{"added_tokens_decoder": {"9": "x"}}', "names no token"),
        ('{"added_tokens_decoder": {"9": {"content": ""}}}', "names no token"),
        ('{"added_tokens_decoder": {"9": {"content": "x", "lstrip": 1}}}', "neither true nor false"),
        ('{"added_tokens_decoder": {"9": {"content": "x"}, "8": {"content": "x"}}}', "has two ids, 9 and 8"),
        ('{"added_tokens_decoder": {"9": {"content": "</s>"}}}', "has two ids, 2 and 9"),
    ],
)
def test_a_file_that_names_no_tokens_is_refused(tmp_path: Path, content: str, part: str | None) -> None:
    path = tmp_path / "tokenizer_config.json"
    path.write_text(content)
    if part is None:
        assert read_added_tokens(path) == ()
        return
    with pytest.raises(VocabularyError, match=part):
        read_added_tokens(path)


@pytest.mark.parametrize("key", ["9" * 10, "9" * 5000, "nine" * 5000])
def test_an_id_that_no_vocabulary_has_is_refused_in_a_short_line(tmp_path: Path, key: str) -> None:
    path = tmp_path / "tokenizer_config.json"
    path.write_text(json.dumps({"added_tokens_decoder": {key: {"content": "x" * 5000}}}))
    with pytest.raises(VocabularyError) as caught:
        read_added_tokens(path)
    path.with_name("good.json").write_text(json.dumps({"added_tokens_decoder": {"9" * 9: {"content": "x"}}}))
    assert read_added_tokens(path.with_name("good.json")) == (AddedToken(999_999_999, "x"),)
    entry = "{'content': '" + "x" * 47
    assert (
        str(caught.value)
        == f"tokenizer_config.json: added_tokens_decoder holds {key[:60]!r}: {entry!r}, which names no token"
    )


@pytest.mark.parametrize(
    ("token", "part"),
    [(AddedToken(7, "x"), "has id 7, but 5 has no name"), (AddedToken(4, "x"), "has id 4, which is 'a</w>'")],
)
def test_ids_that_do_not_follow_the_vocabulary_are_refused(token: AddedToken, part: str) -> None:
    with pytest.raises(VocabularyError, match=part):
        BioGptTokenizer(("<s>", "<pad>", "</s>", "<unk>", "a</w>"), (), added_tokens=[token])
