"""Any number of documents: results in order, in bounded memory, and an error costs its own document alone."""

import io
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import biogpt_onnx
from biogpt_onnx import BioGPT, BioGptError, ConfigError, DeviceMemoryError, GenerationConfig, PromptError, tasks
from biogpt_onnx.tasks import Document, Prepared, StreamItem, Task

TEXTS = ["Lithium caused tremor.", "Cocaine.", "Nine rats were given caffeine and had tachycardia.", "Haloperidol."]


def read(text: str, document: Document) -> str:
    """The parser of a task that answers with the document."""
    del text
    return f"{document.id}: {document.text}"


ECHO = Task("echo", read, soft_prompt_size=0, config=GenerationConfig(max_new_tokens=1))


class Watched(Task[str]):
    """A task that keeps the texts of its batches, and does not answer some texts or too many at once."""

    batches: list[list[str]]

    def watch(self, *, most: int = 10**6) -> "Watched":
        object.__setattr__(self, "batches", [])
        object.__setattr__(self, "_most", most)
        return self

    def answer(self, model: BioGPT, prepared: Sequence[Prepared], *, free: bool = True) -> list[str]:
        del free
        texts = [one.document.text for one in prepared]
        self.batches.append(texts)
        if len(texts) > self._most:  # type: ignore[attr-defined]
            raise DeviceMemoryError("the memory is full")
        if "Cocaine." in texts:
            raise PromptError("nothing is said about it")
        assert model.default_batch_size > 0
        return [self.parse("", one.document) for one in prepared]


def watched(**more: Any) -> Watched:
    return Watched("watched", read, soft_prompt_size=0).watch(**more)


def documents(texts: Sequence[str] = TEXTS) -> Iterator[Document]:
    return (Document(text, id=str(number)) for number, text in enumerate(texts, start=10))


def test_each_document_has_its_result_in_order(mini: BioGPT) -> None:
    items = list(tasks.stream(ECHO, mini, documents()))
    assert items == [
        StreamItem(index, document, f"{document.id}: {document.text}") for index, document in enumerate(documents())
    ]
    assert tasks.run(ECHO, mini, documents()) == [item.result for item in items]


def test_results_are_those_of_the_documents_alone(mini: BioGPT) -> None:
    alone = [tasks.run(tasks.BC5CDR, mini, [text])[0] for text in TEXTS[:3]]
    assert [item.result for item in tasks.stream(tasks.BC5CDR, mini, iter(TEXTS[:3]), batch_size=2)] == alone


def test_documents_are_read_as_they_are_needed_and_never_held(mini: BioGPT) -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield f"Text {taken}."

    items = tasks.stream(watched(), mini, endless(), batch_size=2)
    assert taken == 0
    for number in range(20):
        item = next(items)
        assert (item.index, item.error) == (number, None)
        assert taken <= number + 8


def test_documents_of_like_length_are_decoded_together(mini: BioGPT) -> None:
    task = watched()
    texts = [TEXTS[2], "A.", f"{TEXTS[2]} More.", "Bb."]
    assert [item.index for item in tasks.stream(task, mini, texts, batch_size=2)] == [0, 1, 2, 3]
    assert [sorted(batch) for batch in task.batches] == [sorted([texts[2], texts[0]]), ["A.", "Bb."]]


def test_no_more_are_decoded_together_than_memory_has_room_for(mini: BioGPT, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("biogpt_onnx.tasks.streaming.work.most_cached_tokens", lambda _: 2 * 1024)
    task = watched()
    assert len(tasks.run(task, mini, ["A.", "B.", "C.", "D.", "E."])) == 5
    assert [len(batch) for batch in task.batches] == [2, 2, 1]


def test_where_memory_does_not_suffice_for_all_each_has_its_result(mini: BioGPT) -> None:
    task = watched(most=1)
    assert len(tasks.run(task, mini, ["A.", "B.", "C."])) == 3


def test_where_memory_does_not_suffice_no_answer_depends_on_what_is_left_of_it(mini_by: Callable[[str], Path]) -> None:
    with biogpt_onnx.load(mini_by("int8-weights"), device="cpu") as model:
        task = watched(most=1)
        with pytest.raises(DeviceMemoryError, match="full"):
            tasks.run(task, model, ["A.", "B.", "C."])
    assert [len(batch) for batch in task.batches] == [3]


def test_a_bad_document_does_not_lose_the_others(mini: BioGPT) -> None:
    texts = [TEXTS[0], "", TEXTS[1], "the " * 2000, 5, TEXTS[3]]
    items = list(tasks.stream(watched(), mini, texts, on_error="return"))  # type: ignore[call-overload]
    assert [item.result is not None for item in items] == [True, False, False, False, False, True]
    errors = [str(item.error) for item in items if item.error is not None]
    starts = ["the document is empty", "nothing is said", "the document has", "a document is of type int"]
    assert [error.startswith(start) for error, start in zip(errors, starts, strict=True)] == [True] * 4
    assert [item.document is None for item in items] == [False, False, False, False, True, False]
    found = tasks.run(watched(), mini, texts, on_error="return")  # type: ignore[call-overload]
    assert [isinstance(one, BioGptError) for one in found] == [False, True, True, True, True, False]


@pytest.mark.parametrize("bad", ["", "Cocaine."])
def test_an_error_names_the_document_and_comes_after_the_results_before_it(mini: BioGPT, bad: str) -> None:
    items = tasks.stream(watched(), mini, documents([*TEXTS[2:], bad, *TEXTS[:1]]))
    assert [next(items).index, next(items).index] == [0, 1]
    with pytest.raises(PromptError, match=r"^documents\[2\] \(id '12'\): (the document is empty|nothing is said)"):
        next(items)
    with pytest.raises(StopIteration):
        next(items)
    with pytest.raises(PromptError, match=r"^documents\[2\] \(id '12'\)"):
        tasks.run(watched(), mini, documents([*TEXTS[2:], bad]))
    with pytest.raises(PromptError, match=r"^(the document is empty|nothing is said)"):
        tasks.run(watched(), mini, [bad])


def test_the_last_of_a_long_list_is_checked_before_the_first_is_answered(mini: BioGPT) -> None:
    task = watched()
    with pytest.raises(PromptError, match=r"^documents\[40\]"):
        tasks.run(task, mini, [*(["A."] * 40), ""])
    assert task.batches == []


def test_what_a_parser_raises_is_the_error_of_its_document(mini: BioGPT) -> None:
    def parse(text: str, document: Document) -> str:
        return str(dict[str | None, str]()[document.id]) if document.id == "11" else text

    task = replace(ECHO, parse=parse)
    items = list(tasks.stream(task, mini, documents(), on_error="return"))
    assert [type(item.error) for item in items] == [type(None), KeyError, type(None), type(None)]
    with pytest.raises(KeyError):
        list(tasks.stream(task, mini, documents()))


def test_long_documents_are_read_in_windows_between_short_ones(mini: BioGPT) -> None:
    long = "Lithium caused tremor. " * 120
    task = replace(tasks.BC5CDR, config=GenerationConfig(max_new_tokens=8), least_new_tokens=800)
    found = tasks.run(task, mini, ["Cocaine.", long, "Lithium."], too_long="windows", window_tokens=200)
    assert [one.read for one in found] == [8, len(long.rstrip()), 8]


@pytest.mark.parametrize("texts", [[], iter([])])
def test_no_documents_are_no_results_of_a_stream_and_an_error_of_run(mini: BioGPT, texts: Any) -> None:
    assert list(tasks.stream(ECHO, mini, [])) == []
    with pytest.raises(PromptError, match="at least one"):
        tasks.run(ECHO, mini, texts)


@pytest.mark.parametrize("start", [tasks.run, tasks.stream])
@pytest.mark.parametrize("texts", ["a text", Document("a text"), None, 5, b"a", {"text": "a"}, {"a"}, np.array(5)])
def test_what_is_no_iterable_of_documents_is_refused_at_the_call(
    mini: BioGPT, start: Callable[..., Any], texts: Any
) -> None:
    with pytest.raises(PromptError, match=r"documents are of type .*: give a list"):
        start(ECHO, mini, texts)


@pytest.mark.parametrize("start", [tasks.run, tasks.stream])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": "2"}, "batch_size is '2'"),
        ({"on_error": "ignore"}, "on_error is 'ignore'"),
        ({"progress": 1}, "progress is 1"),
        ({"too_long": "shorten"}, "too_long is 'shorten'"),
        ({"window_tokens": None}, "window_tokens is None"),
    ],
)
def test_bad_settings_are_refused_at_the_call(
    mini: BioGPT, start: Callable[..., Any], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        start(ECHO, mini, ["A text."], **settings)


def test_a_stream_that_is_cancelled_ends_after_its_batch(mini: BioGPT) -> None:
    cancel, task = threading.Event(), watched()
    items = tasks.stream(task, mini, (f"Text {number}." for number in range(100)), batch_size=1, cancel=cancel)
    assert next(items).index == 0
    cancel.set()
    assert list(items) == []
    assert len(task.batches) == 1
    with pytest.raises(ConfigError, match="cancel is of type str"):
        tasks.stream(task, mini, [], cancel="now")  # type: ignore[call-overload]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_progress_is_shown_and_reported(mini: BioGPT, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, reported = Terminal(), []
    monkeypatch.setattr(sys, "stderr", terminal)
    list(tasks.stream(ECHO, mini, TEXTS, progress=True))
    assert "\recho:  50 %" in terminal.getvalue()
    list(tasks.stream(ECHO, mini, iter(TEXTS), progress=lambda done, total: reported.append((done, total))))
    assert reported == [(1, None), (2, None), (3, None), (4, None)]
    tasks.run(ECHO, mini, TEXTS, progress=lambda done, total: reported.append((done, total)))
    assert reported[-1] == (4, 4)
