from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biogpt_onnx.runtime.errors import PromptError
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer, IncrementalDecoder

ID_LISTS = st.lists(st.one_of(st.integers(0, 60), st.integers(0, 239)), max_size=40)


def stream(tokenizer: BioGptTokenizer, prompt_ids: Sequence[int], ids: list[int]) -> list[str]:
    decoder = IncrementalDecoder(tokenizer, prompt_ids)
    return [*(decoder.push(number) for number in ids), decoder.finish()]


def shared_length(one: str, other: str) -> int:
    return max(length for length in range(len(one) + 1) if other.startswith(one[:length]))


def continuation(tokenizer: BioGptTokenizer, prompt: str, text: str) -> str:
    return tokenizer.decode_continuation(tokenizer.encode(prompt), tokenizer.encode(text)[1:])


@settings(max_examples=300, deadline=None)
@given(prompt_ids=ID_LISTS, ids=ID_LISTS)
def test_the_pieces_are_the_continuation_and_none_is_taken_back(
    tiny: BioGptTokenizer, prompt_ids: list[int], ids: list[int]
) -> None:
    whole = tiny.decode_continuation(prompt_ids, ids)
    decoder = IncrementalDecoder(tiny, prompt_ids)
    given_out = ""
    for number in ids:
        given_out += decoder.push(number)
        assert whole.startswith(given_out)
    assert given_out + decoder.peek() == whole
    assert given_out + decoder.finish() == whole


@settings(max_examples=300, deadline=None)
@given(ids=ID_LISTS)
def test_without_a_prompt_the_pieces_are_the_decoded_ids(tiny: BioGptTokenizer, ids: list[int]) -> None:
    assert "".join(stream(tiny, (), ids)) == tiny.decode(ids)
    assert "".join(stream(tiny, (tiny.eos_id,), ids)) == tiny.decode(ids)


@settings(max_examples=300, deadline=None)
@given(prompt_ids=ID_LISTS, ids=ID_LISTS)
def test_the_continuation_is_what_the_ids_add_to_the_decoded_prompt(
    tiny: BioGptTokenizer, prompt_ids: list[int], ids: list[int]
) -> None:
    prompt_ids = [number for number in prompt_ids if number != tiny.unk_id]
    prompt, whole = tiny.decode(prompt_ids), tiny.decode([*prompt_ids, *ids])
    assert tiny.decode_continuation(prompt_ids, ids) == whole[shared_length(prompt, whole) :]


@pytest.mark.parametrize(
    ("prompt", "text", "expected"),
    [
        ("insulin", "is a drug", " is a drug"),
        ("insulin", ", and the drug", ", and the drug"),
        ("insulin (", "the drug)", "the drug)"),
        ('the drug "', "as usual", "as usual"),
        ('the drug "as', 'usual"', ' usual"'),
        ("the patient", "'s data", "'s data"),
        ("", "insulin", "insulin"),
    ],
)
def test_prompt_and_continuation_read_as_one_text(tiny: BioGptTokenizer, prompt: str, text: str, expected: str) -> None:
    assert continuation(tiny, prompt, text) == expected


def test_a_hyphen_joins_the_continuation_to_the_prompt(tiny: BioGptTokenizer) -> None:
    prompt_ids, ids = tiny.encode("COVID"), tiny.encode("COVID-19")[len(tiny.encode("COVID")) :]
    assert tiny.decode_continuation(prompt_ids, ids) == "-19"


def test_a_prompt_that_ends_in_an_unknown_character_is_followed_by_a_space(tiny: BioGptTokenizer) -> None:
    assert continuation(tiny, "insulin \u2014", "is a drug") == " is a drug"
    assert continuation(tiny, "\u65e5", "is a drug") == " is a drug"


def test_special_tokens_and_the_soft_prompt_are_not_streamed(tiny: BioGptTokenizer) -> None:
    assert stream(tiny, (), [tiny.eos_id, tiny.pad_id, tiny.bos_id, tiny.unk_id]) == [""] * 5


def test_an_id_outside_the_vocabulary_is_named(tiny: BioGptTokenizer) -> None:
    decoder = IncrementalDecoder(tiny)
    with pytest.raises(PromptError, match=f"token id {tiny.vocab_size} is outside"):
        decoder.push(tiny.vocab_size)
