import pytest

from biogpt_onnx.runtime.tokenizer import memo


def test_a_service_that_runs_for_months_does_not_fill_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memo, "_MAX_ENTRIES", 10)
    words: memo.Memo[int] = memo.Memo()
    for number in range(100):
        words.add(str(number), (number,))
        assert words.get(str(number)) == (number,)
        assert len(words._values) <= 10


def test_a_word_of_megabytes_is_not_kept() -> None:
    words: memo.Memo[int] = memo.Memo()
    words.add("x" * 1_000_000, (1,))
    assert words.get("x" * 1_000_000) is None


def test_a_word_is_remembered_until_the_memo_is_full() -> None:
    words: memo.Memo[int] = memo.Memo()
    for number in range(1000):
        words.add(str(number), (number,))
    assert [words.get(str(number)) for number in range(1000)] == [(number,) for number in range(1000)]
