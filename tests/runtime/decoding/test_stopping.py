from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx.runtime.decoding.stopping import ContinuationText


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


def run(text: str, stops: tuple[str, ...]) -> tuple[str, list[str], int]:
    """The final text, the pieces of a stream, and how many characters were read."""
    continuation = ContinuationText(Letters(), stops)
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


@given(st.text("ab.", max_size=12), st.lists(st.text("ab.", min_size=1, max_size=3), max_size=3).map(tuple))
def test_streamed_pieces_make_the_text_and_the_text_is_cut_at_the_first_stop_string(
    text: str, stops: tuple[str, ...]
) -> None:
    final, pieces, read = run(text, stops)
    assert "".join(pieces) == final
    ends = [text.find(stop) + len(stop) for stop in stops if stop in text]
    assert read == min(ends, default=len(text))
    cuts = [text[:read].find(stop) for stop in stops if stop in text[:read]]
    assert final == text[: min(cuts, default=len(text))]
