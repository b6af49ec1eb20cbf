from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx.runtime.decoding.stopping import CallersEnd, ContinuationText
from biogpt_onnx.runtime.errors import ConfigError


class Letters:
    """A decoder that is sure of a character when the next one is there, as ids are code points."""

    def __init__(self) -> None:
        self.held = ""

    def push(self, token_id: int) -> str:
        certain, self.held = self.held, chr(token_id)
        return certain

    def peek(self) -> str:
        return self.held

    def branch(self) -> "Letters":
        other = Letters()
        other.held = self.held
        return other


def run(text: str, stops: tuple[str, ...], before: str = "") -> tuple[str, list[str], int]:
    """The final text, the pieces of a stream, and how many characters were read."""
    continuation = ContinuationText(Letters(), stops, before)
    pieces, read = [], 0
    for character in text:
        read += 1
        stopped = continuation.push(ord(character))
        pieces.append(continuation.take())
        if stopped:
            break
    pieces.append(continuation.finish())
    return continuation.text, pieces, read


def test_the_text_ends_before_the_stop_string() -> None:
    text, pieces, read = run("one. two. three", (". t",))
    assert text == "one"
    assert "".join(pieces) == "one"
    assert read == len("one. t")


def test_a_stop_string_is_found_as_soon_as_its_last_character_is_there() -> None:
    assert run("ab.cd", (".",)) == ("ab", ["", "a", "b", ""], 3)


def test_of_several_stop_strings_the_first_in_the_text_counts() -> None:
    assert run("abcdef", ("ef", "cd"))[0] == "ab"


def test_text_that_may_begin_a_stop_string_is_not_streamed_until_it_is_known() -> None:
    _, pieces, _ = run("a</x", ("</s>",))
    assert "".join(pieces) == "a</x"
    assert "<" not in "".join(pieces[:3])


def test_branches_of_a_text_go_on_by_themselves() -> None:
    text = ContinuationText(Letters(), ["b."])
    text.push(ord("a"))
    other = text.branch()
    assert [other.push(ord(character)) for character in "b."] == [False, True]
    assert [text.push(ord(character)) for character in "cd"] == [False, False]
    assert (text.text, other.text) == ("acd", "a")


def test_a_stop_string_may_begin_in_the_prompt_but_not_end_there() -> None:
    assert run(" no.", ("is no",), before="The answer is") == ("", ["", "", "", ""], 3)
    assert run(" not", ("is not", "no"), before="The answer is")[0] == " "
    assert run("abc", (".",), before="One. Two.")[0] == "abc"
    assert run("a.c", (". a", "."), before="One. Two.")[0] == "a"


def test_text_that_ends_a_stop_string_of_the_prompt_is_not_streamed_until_it_is_known() -> None:
    text, pieces, _ = run(" new", ("is no",), before="The answer is")
    assert text == " new"
    assert pieces[:3] == ["", "", ""]


@given(
    st.text("ab.", max_size=5),
    st.text("ab.", max_size=12),
    st.lists(st.text("ab.", min_size=1, max_size=4), max_size=3).map(tuple),
)
def test_streamed_pieces_make_the_text_and_the_text_is_cut_at_the_first_stop_string(
    before: str, text: str, stops: tuple[str, ...]
) -> None:
    final, pieces, read = run(text, stops, before)
    assert "".join(pieces) == final
    whole = before + text
    ends = [
        at + len(stop) - len(before)
        for stop in stops
        for at in range(len(whole))
        if whole.startswith(stop, at) and at + len(stop) > len(before)
    ]
    assert read == min(ends, default=len(text))
    # Of the stop strings that the last character completes, the one that begins first counts.
    cuts = [read - len(stop) for stop in stops if ends and whole[: len(before) + read].endswith(stop)]
    assert final == text[: max(0, min(cuts))] if cuts else final == text


def long_enough(_ids: npt.NDArray[np.int64], text: str) -> bool:
    return len(text) > 2


def test_a_callers_function_reads_ids_and_text_and_ends_the_sequence() -> None:
    seen: list[tuple[list[int], str]] = []

    def note(ids: npt.NDArray[np.int64], text: str) -> bool:
        seen.append((ids.tolist(), text))
        return False

    end = CallersEnd(ContinuationText(Letters()), [note, long_enough], [2, 5])
    assert [end.push(ord(character)) for character in "abc"] == [False, False, True]
    assert seen == [([2, 5, 97], "a"), ([2, 5, 97, 98], "ab"), ([2, 5, 97, 98, 99], "abc")]


def test_branches_of_a_callers_end_go_on_by_themselves() -> None:
    end = CallersEnd(ContinuationText(Letters()), [lambda ids, _: ids[-1] == ids[0]], [97])
    assert not end.push(98)
    other = end.branch()
    assert [other.push(99), other.push(97), end.push(97)] == [False, True, True]


@pytest.mark.parametrize("result", [None, 1, 0.0, "yes", [True], np.array([True])])
def test_a_callers_function_that_gives_no_truth_value_is_named(result: Any) -> None:
    def odd(_ids: npt.NDArray[np.int64], _text: str) -> Any:
        return result

    end = CallersEnd(ContinuationText(Letters()), [long_enough, odd], [2])
    with pytest.raises(ConfigError, match=r"stopping_criteria\[1\], odd, returned .*: return True to end"):
        end.push(97)


def test_a_truth_value_of_another_library_is_one() -> None:
    end = CallersEnd(ContinuationText(Letters()), [lambda ids, _: ids[-1] == ids[0]], [97])
    assert end.push(97) is True
