from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy

from biogpt_onnx.runtime.errors import ConfigError, PromptError
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer


class Reference(Protocol):
    """What is used of the tokenizer of transformers."""

    def __call__(self, text: str) -> dict[str, list[int]]: ...
    def tokenize(self, text: str) -> list[str]: ...
    def decode(self, ids: list[int], *, skip_special_tokens: bool) -> str: ...


@pytest.fixture(scope="module")
def reference(tiny_folder: Path) -> Reference:
    transformers = pytest.importorskip("transformers")
    tokenizer: Reference = transformers.BioGptTokenizer(
        str(tiny_folder / "vocab.json"), str(tiny_folder / "merges.txt")
    )
    return tokenizer


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_ids_and_text_are_those_of_transformers(
    tiny: BioGptTokenizer, reference: Reference, awkward_texts: SearchStrategy[str], data: DataObject
) -> None:
    check_against(reference, tiny, data.draw(awkward_texts))


@pytest.mark.parametrize("text", ["a</s>b <unk><pad> ' <s>' .</s>.", "<</s>> </s </w>", "x.</s>", "<s> ,5 <pad>,5"])
def test_special_tokens_part_a_text_as_in_transformers(tiny: BioGptTokenizer, reference: Reference, text: str) -> None:
    check_against(reference, tiny, text)


def check_against(reference: Reference, tiny: BioGptTokenizer, text: str) -> None:
    ids = tiny.encode(text, special_tokens=True)
    assert ids == reference(text)["input_ids"]
    assert tiny.tokenize(text, special_tokens=True) == reference.tokenize(text)
    for skip in (True, False):
        assert tiny.decode(ids, skip_special_tokens=skip) == reference.decode(ids, skip_special_tokens=skip)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_text_from_outside_ends_the_prompt_in_its_middle(
    tiny: BioGptTokenizer, awkward_texts: SearchStrategy[str], data: DataObject
) -> None:
    text = data.draw(awkward_texts)
    ids = tiny.encode(text + "</s>" + text)
    assert ids[0] == tiny.eos_id
    assert not {tiny.eos_id, tiny.bos_id, tiny.pad_id} & set(ids[1:])


@pytest.mark.parametrize("text", ["", " ", "\n\t ", "\x00", "\u2028 \xa0"])
def test_a_text_without_words_is_the_beginning_alone(tiny: BioGptTokenizer, text: str) -> None:
    assert tiny.encode(text) == [2]
    assert tiny.tokenize(text) == []


def test_symbols_and_ids_tell_the_same(tiny: BioGptTokenizer) -> None:
    text = "Aspirin inhibits the receptor (p < 0.05)."
    assert [tiny.symbol_to_id(symbol) for symbol in tiny.tokenize(text)] == tiny.encode(text)[1:]
    assert [tiny.id_to_symbol(number) for number in tiny.encode(text)[1:]] == tiny.tokenize(text)
    assert tiny.symbol_to_id("no such symbol") == tiny.unk_id


def test_a_merge_outside_the_vocabulary_is_completed_by_a_later_one(tiny: BioGptTokenizer) -> None:
    # "&ap" is no symbol, "&apos;</w>" is made from it.
    assert tiny.unk_id not in tiny.encode("the patients' data")


@pytest.mark.parametrize("text", ["\ud800", "x \udfff y", "a\x00b", "\x1b[0m"])
def test_lone_surrogates_and_control_characters_do_no_harm(tiny: BioGptTokenizer, text: str) -> None:
    assert isinstance(tiny.decode(tiny.encode(text)), str)
    assert "\ud800" not in tiny.decode(tiny.encode(text))


@pytest.mark.parametrize("text", [None, b"insulin", 5, ["insulin"], float("nan")])
def test_what_is_no_text_is_refused_by_its_type(tiny: BioGptTokenizer, text: Any) -> None:
    with pytest.raises(PromptError, match=f"must be a string, is {type(text).__name__}"):
        tiny.encode(text)
    with pytest.raises(PromptError):
        tiny.tokenize(text)


@pytest.mark.parametrize("symbol", [3, b"the", None])
def test_what_is_no_symbol_is_refused_and_not_unknown(tiny: BioGptTokenizer, symbol: Any) -> None:
    with pytest.raises(PromptError, match="a symbol must be a string"):
        tiny.symbol_to_id(symbol)


@pytest.mark.parametrize("value", ["no", 0, 1, None])
def test_what_is_neither_true_nor_false_is_refused_and_not_taken_for_true(tiny: BioGptTokenizer, value: Any) -> None:
    with pytest.raises(ConfigError, match=r"special_tokens is of type .*: give True or False"):
        tiny.encode("text", special_tokens=value)
    with pytest.raises(ConfigError, match=r"normalize_punctuation is of type .*: give True or False"):
        tiny.encode("text", normalize_punctuation=value)
    with pytest.raises(ConfigError, match=r"skip_special_tokens is of type .*: give True or False"):
        tiny.decode([2], skip_special_tokens=value)


@pytest.mark.parametrize("number", [-1, 100_000])
def test_an_id_outside_the_vocabulary_is_refused_by_its_number(tiny: BioGptTokenizer, number: int) -> None:
    with pytest.raises(PromptError, match=f"token id {number} is outside the vocabulary, 0 to {tiny.vocab_size - 1}$"):
        tiny.decode([2, number])
    with pytest.raises(PromptError, match="outside the vocabulary"):
        tiny.id_to_symbol(number)
    with pytest.raises(PromptError, match="must be integers"):
        tiny.decode([2.5])  # type: ignore[list-item]


def test_ids_may_come_from_numpy(tiny: BioGptTokenizer) -> None:
    ids = tiny.encode("insulin lowers glucose")
    assert tiny.decode(np.array(ids)) == "insulin lowers glucose"


def test_the_soft_prompt_has_ids_that_no_text_reaches(tiny_folder: Path, tiny: BioGptTokenizer) -> None:
    tuned = BioGptTokenizer.from_files(tiny_folder / "vocab.json", tiny_folder / "merges.txt", soft_prompt_size=3)
    size = tiny.vocab_size
    assert (tuned.vocab_size, tuned.soft_prompt_ids) == (size + 3, (size, size + 1, size + 2))
    assert tuned.encode("learned1 learned2") == tiny.encode("learned1 learned2")
    ids = [*tuned.encode("insulin"), *tuned.soft_prompt_ids, *tuned.encode("is a drug")[1:]]
    assert tuned.decode(ids) == "insulin is a drug"
    assert "learned1learned2learned3" in tuned.decode(ids, skip_special_tokens=False)
    assert tuned.id_to_symbol(size) == "learned1"


def test_punctuation_is_normalized_only_when_asked(tiny: BioGptTokenizer) -> None:
    pasted, ascii_ = "the patients\u2019 data", "the patients' data"
    assert tiny.encode(pasted) != tiny.encode(ascii_)
    assert tiny.encode(pasted, normalize_punctuation=True) == tiny.encode(ascii_)
    assert tiny.tokenize(pasted, normalize_punctuation=True) == tiny.tokenize(ascii_)


def test_a_text_of_200_000_characters_without_a_space_is_tokenized(tiny: BioGptTokenizer) -> None:
    ids = tiny.encode("insulin" * 30_000)
    assert tiny.decode(ids) == "insulin" * 30_000


def test_warming_up_changes_no_ids(tiny: BioGptTokenizer) -> None:
    before = tiny.encode("Dr. Smith et al. (Fig. 2) vs. No. 5.")
    tiny.warm_up()
    assert tiny.encode("Dr. Smith et al. (Fig. 2) vs. No. 5.") == before
