"""Items of like length are answered together, answers come in the order of the items, and a bad item costs its own."""

import threading
from collections.abc import Iterator, Sequence
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx import BioGptError, CancelledError, MemoryLimitError, PromptError
from biogpt_onnx.runtime.bulk.answering import Outcome, Work, answer_all, one_by_one
from biogpt_onnx.runtime.bulk.batches import BatchLimits, Size, batches_by_length


class Answering:
    """Answers in capitals; keeps the batches. Refuses a batch that holds one of the bad items."""

    def __init__(self, *bad: str) -> None:
        self.batches: list[list[str]] = []
        self._bad = bad

    def __call__(self, batch: Sequence[str]) -> list[str]:
        self.batches.append(list(batch))
        if set(batch) & set(self._bad):
            raise PromptError("one of these is bad")
        return [text.upper() for text in batch]


def prepared(_: int, text: str) -> str:
    if not text:
        raise PromptError("it is empty")
    return text


def size_of(text: str) -> Size:
    return Size(len(text), len(text))


def work(answering: Answering, items: int = 2, tokens: int = 10**6) -> Work[str, str, str]:
    return Work(prepared, size_of, answering, BatchLimits(items, tokens))


def kept(_: int, __: object, error: Exception) -> Exception:
    return error


def outcomes(run: Work[str, str, str], items: Any, **more: Any) -> list[Outcome[str, str]]:
    return list(answer_all(run, items, kept, **more))


def test_the_longest_come_first_and_answers_stay_in_order() -> None:
    run = Answering()
    found = outcomes(work(run), ["a", "bbb", "", "cc", "dddd"])
    assert run.batches == [["dddd", "bbb"], ["cc", "a"]]
    assert [outcome.result for outcome in found] == ["A", "BBB", None, "CC", "DDDD"]
    assert [outcome.index for outcome in found] == [0, 1, 2, 3, 4]
    assert str(found[2].error) == "it is empty"


def test_no_more_than_a_window_is_read_ahead() -> None:
    run = Answering()
    read: list[int] = []

    def endless() -> Iterator[str]:
        for number in count(1):
            read.append(number)
            yield "x" * (number % 7 + 1)

    found = answer_all(work(run, items=3), endless(), kept)
    for _ in range(13):
        next(found)
    assert read == list(range(1, 25))
    assert max(map(len, run.batches)) == 3


def test_an_answer_comes_before_the_rest_of_its_window_is_answered() -> None:
    run = Answering()
    found = answer_all(work(run), ["ccc", "bb", "a", "a"], kept)
    assert next(found).result == "CCC"
    assert run.batches == [["ccc", "bb"]]


def test_a_bad_item_is_found_and_the_others_of_its_batch_get_their_answers() -> None:
    run = Answering("c")
    found = outcomes(work(run, items=5), "abcde")
    assert [outcome.result for outcome in found] == ["A", "B", None, "D", "E"]
    assert [type(outcome.error) for outcome in found if outcome.error] == [PromptError]
    assert run.batches == [list("abcde"), ["a", "b"], list("cde"), ["c"], ["d", "e"]]


@pytest.mark.parametrize(
    ("is_divisible", "batches"), [(True, [["abcd", "abc"], ["abcd"], ["abc"]]), (False, [["abcd", "abc"]])]
)
def test_a_batch_without_memory_is_divided_only_where_no_result_depends_on_it(
    is_divisible: bool,  # noqa: FBT001 -- a case
    batches: list[list[str]],
) -> None:
    asked: list[list[str]] = []

    def answer(batch: Sequence[str]) -> list[str]:
        asked.append(list(batch))
        if len(batch) > 1:
            raise MemoryLimitError("full")
        return [text.upper() for text in batch]

    run = Work(prepared, size_of, answer, BatchLimits(2, 100), is_divisible=is_divisible)
    found = outcomes(run, ["abc", "abcd"])
    assert asked == batches
    assert [one.result for one in found] == (["ABC", "ABCD"] if is_divisible else [None, None])
    assert all((one.error is None) == is_divisible for one in found)


def test_an_item_at_fault_is_found_in_a_batch_that_is_not_divided_for_memory() -> None:
    def answer(batch: Sequence[str]) -> list[str]:
        if "bad" in batch:
            raise PromptError("bad")
        return list(batch)

    run = Work(prepared, size_of, answer, BatchLimits(3, 100), is_divisible=False)
    assert [one.result for one in outcomes(run, ["one", "bad", "two"])] == ["one", None, "two"]


def test_other_errors_end_the_work() -> None:
    def broken(batch: Sequence[str]) -> list[str]:
        raise KeyError(batch[0])

    run = Work(prepared, size_of, broken, BatchLimits(2, 100))
    with pytest.raises(KeyError):
        outcomes(run, ["a", "b"])


def test_what_comes_after_the_first_error_is_not_answered_for_one_who_stops_there() -> None:
    run = Answering()
    found = answer_all(work(run, items=1), ["a", "", "b", "c"], kept, up_to_first_error=True)
    assert next(found).result == "A"
    assert next(found).error is not None
    assert run.batches == [["a"]]


def test_a_failure_that_raises_ends_the_work_before_anything_is_answered() -> None:
    run = Answering()

    def refuse(index: int, item: str, error: Exception) -> Exception:
        raise PromptError(f"{index} {item!r}") from error

    with pytest.raises(PromptError, match="1 ''"):
        list(answer_all(work(run), ["a", ""], refuse))
    assert run.batches == []


def test_what_is_cancelled_is_not_answered() -> None:
    cancel, run = threading.Event(), Answering()
    found = answer_all(work(run, items=1), ["cc", "b", "a"], kept, cancel)
    assert next(found).result == "CC"
    cancel.set()
    rest = list(found)
    assert [type(outcome.error) for outcome in rest] == [CancelledError, CancelledError]
    assert run.batches == [["cc"]]


def test_items_may_be_answered_one_by_one() -> None:
    run: Work[str, str, str] = one_by_one(lambda text: prepared(0, text), str.upper)
    assert [outcome.result for outcome in outcomes(run, ["a", "", "b"])] == ["A", None, "B"]


@given(st.lists(st.text("ab", max_size=9), max_size=30), st.integers(1, 6), st.integers(1, 30))
def test_every_item_has_its_own_answer(texts: list[str], items: int, tokens: int) -> None:
    run = Answering("ab")
    found = outcomes(work(run, items, tokens), texts)
    assert [outcome.item for outcome in found] == texts
    assert [outcome.result for outcome in found] == [None if text in {"", "ab"} else text.upper() for text in texts]
    for batch in run.batches:
        assert len(batch) <= items
        assert len(batch) == 1 or len(batch) * max(map(len, batch)) <= tokens


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 6), st.integers(1, 120))
def test_batches_hold_like_lengths_and_no_more_than_the_cache_has_room_for(
    lengths: list[int], items: int, tokens: int
) -> None:
    batches = batches_by_length([Size(length, length) for length in lengths], BatchLimits(items, tokens))
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    flat = [lengths[place] for batch in batches for place in batch]
    assert flat == (lengths if items == 1 else sorted(lengths, reverse=True))
    for batch, following in pairwise(batches):
        longest = lengths[batch[0]]
        assert len(batch) == 1 or (len(batch) <= items and len(batch) * longest <= tokens)
        # One more would have been too many.
        assert len(batch) == items or (len(batch) + 1) * longest > tokens
        assert following


def test_items_of_like_length_come_together_where_all_may_become_equally_long() -> None:
    sizes = [Size(9, 20), Size(2, 20), Size(8, 20), Size(3, 20)]
    assert batches_by_length(sizes, BatchLimits(2, 100)) == [[0, 2], [3, 1]]


def test_an_answer_that_is_missing_is_no_answer_to_another_item() -> None:
    run = Work[str, str, str](prepared, size_of, lambda batch: list(batch)[1:], BatchLimits(2, 100))
    with pytest.raises(ValueError, match="zip"):
        outcomes(run, ["a", "b"])


def test_the_error_of_an_item_is_a_biogpt_error() -> None:
    assert issubclass(CancelledError, BioGptError)
