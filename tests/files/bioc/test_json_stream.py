"""JSON value by value: the same values as from the whole text, wherever it is cut."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx.files import rows
from biogpt_onnx.files.bioc.json_stream import JsonError, JsonStream, TooLarge

NAMES = st.text(max_size=4, alphabet='a"\\[]{}é:,')
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)


class Piecewise(io.BytesIO):
    """A stream that gives few bytes at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self._size = size

    def read1(self, size: int | None = -1, /) -> bytes:
        return self.read(min(self._size, size or 0))


@given(st.lists(VALUES, max_size=4), st.integers(1, 9), st.sampled_from([None, 1]), st.booleans())
def test_the_elements_of_a_list_are_those_of_the_whole(
    values: list[Any],
    size: int,
    indent: int | None,
    ascii_alone: bool,  # noqa: FBT001
) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_alone) + " \n"
    reader = JsonStream(Piecewise(text.encode(), size))
    assert [reader.value() for _ in reader.elements()] == values
    assert not reader.peek()


@given(st.dictionaries(NAMES, VALUES, max_size=4), st.integers(1, 9))
def test_the_members_of_an_object_are_those_of_the_whole(members: dict[str, Any], size: int) -> None:
    reader = JsonStream(Piecewise(b"\xef\xbb\xbf" + json.dumps(members).encode(), size))
    assert {name: reader.value() for name in reader.members()} == members


@given(VALUES, st.integers(1, 9))
def test_a_value_that_is_read_over_ends_where_it_ends(value: Any, size: int) -> None:
    reader = JsonStream(Piecewise(json.dumps([value, "behind"]).encode(), size))
    elements = reader.elements()
    next(elements)
    reader.skip()
    next(elements)
    assert reader.value() == "behind"


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_a_value_that_is_too_large_is_read_over(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(rows, "MAX_ROW_BYTES", 20)
    large = [{"a": 'x\\"[{' * 50}, "y" * 100, [[1] * 90]]
    reader = JsonStream(Piecewise(json.dumps([1, *large, "z" * 18]).encode(), size))
    found = [reader.value() for _ in reader.elements()]
    assert [isinstance(each, TooLarge) for each in found] == [False, True, True, True, False]
    assert (found[0], found[-1]) == (1, "z" * 18)


@pytest.mark.parametrize(
    "text",
    ["", "[", "[1", "[1,", "[1 2]", "[1,]", "[}", '["a', "[tru]", b"[\xff]", b'["\xff"]', "[1}", "[" * 99_999],
    ids=lambda text: str(text[:9]),
)
@pytest.mark.parametrize("size", [1, 1000])
def test_what_is_no_list_is_an_error(text: str | bytes, size: int) -> None:
    reader = JsonStream(Piecewise(text.encode() if isinstance(text, str) else text, size))
    with pytest.raises(JsonError):
        _ = [reader.value() for _ in reader.elements()]


@pytest.mark.parametrize("text", ["{", '{"a"', '{"a":', '{"a":1', '{"a":1,}', "{a:1}", "{1:1}", '{"a" 1}', "[]"])
def test_what_is_no_object_is_an_error(text: str) -> None:
    reader = JsonStream(Piecewise(text.encode(), 1))
    with pytest.raises(JsonError):
        _ = [reader.value() for _ in reader.members()]
