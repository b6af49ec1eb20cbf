"""Documents of like length are answered together, and answers come in the order of the questions."""

from collections.abc import Sequence
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx.files.batching import run_in_batches
from biogpt_onnx.files.rows import Row
from biogpt_onnx.tasks.document import Document


class Answering:
    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def __call__(self, batch: Sequence[Document]) -> list[str]:
        self.batches.append([document.text for document in batch])
        return [document.text.upper() for document in batch]


def items_of(*texts: str | None) -> list[Row]:
    return [
        Row(number, None, "bad") if text is None else Row(number, Document(text))
        for number, text in enumerate(texts, start=1)
    ]


def test_the_longest_come_first_and_answers_stay_in_order() -> None:
    run = Answering()
    found = list(run_in_batches(items_of("a", "bbb", None, "cc", "dddd"), 10, run, 2))
    assert run.batches == [["dddd", "bbb"], ["cc", "a"]]
    assert [result for _, result in found] == ["A", "BBB", None, "CC", "DDDD"]
    assert [item.line for item, _ in found] == [1, 2, 3, 4, 5]


def test_a_title_counts_too() -> None:
    run = Answering()
    items = [Row(1, Document("bbb")), Row(2, Document("a", title="long title"))]
    list(run_in_batches(items, 10, run, 1))
    assert run.batches == [["a"], ["bbb"]]


def test_no_more_than_a_window_is_read_ahead() -> None:
    run = Answering()
    read: list[int] = []

    def endless() -> object:
        for number in count(1):
            read.append(number)
            yield Row(number, Document("x" * (number % 7 + 1)))

    found = run_in_batches(endless(), 4, run, 3)  # type: ignore[arg-type]
    for _ in range(5):
        next(found)
    assert read == list(range(1, 9))
    assert [len(batch) for batch in run.batches] == [3, 1, 3, 1]


def test_nothing_is_answered_where_all_rows_are_bad() -> None:
    run = Answering()
    assert [result for _, result in run_in_batches(items_of(None, None), 1, run, 1)] == [None, None]
    assert run.batches == []


@given(
    st.lists(st.none() | st.text("ab", min_size=1, max_size=9), max_size=30),
    st.integers(1, 12),
    st.integers(1, 12),
)
def test_every_row_has_its_own_answer(texts: list[str | None], window: int, batch_size: int) -> None:
    run = Answering()
    found = list(run_in_batches(items_of(*texts), window, run, batch_size))
    assert [item.line for item, _ in found] == list(range(1, len(texts) + 1))
    assert [result for _, result in found] == [text and text.upper() for text in texts]
    assert all(1 <= len(batch) <= batch_size for batch in run.batches)
    assert sorted(text for batch in run.batches for text in batch) == sorted(text for text in texts if text)


@pytest.mark.parametrize(("window", "batch_size"), [(0, 1), (1, 0), (-1, 1)])
def test_windows_and_batches_hold_at_least_one(window: int, batch_size: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        list(run_in_batches(items_of("a"), window, Answering(), batch_size))


def test_an_answer_that_is_missing_is_no_answer_to_another_question() -> None:
    with pytest.raises(ValueError, match="zip"):
        list(run_in_batches(items_of("a", "b"), 2, lambda batch: list(batch)[1:], 2))
