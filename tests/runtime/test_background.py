"""Threads in the background: what is done where none can be had, or where one ends for want of memory."""

import sys
from pathlib import Path
from threading import Event
from typing import Any

import pytest

import biogpt_onnx
from biogpt_onnx.runtime import background
from biogpt_onnx.runtime.backends.cpu import huge_pages
from biogpt_onnx.runtime.background import start_in_background
from biogpt_onnx.runtime.tokenizer import moses


def refuse(*_: object) -> None:
    raise RuntimeError("can't start new thread")


def test_a_function_is_called_with_its_arguments() -> None:
    called, found = Event(), list[object]()

    def take(*arguments: object) -> None:
        found.extend(arguments)
        called.set()

    start_in_background(take, 1, "two")
    assert called.wait(30)
    assert found == [1, "two"]


def test_where_no_thread_can_be_had_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "start_new_thread", refuse)
    with pytest.raises(MemoryError, match="give more memory"):
        start_in_background(print)


def test_a_model_loads_where_no_thread_can_be_had(mini_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(background, "start_new_thread", refuse)
    with biogpt_onnx.load(mini_bundle, device="cpu", threads=1, warm_up=False) as model:
        assert model.generate_ids([[2, 30, 31]], max_new_tokens=2)


def test_a_model_loads_where_threads_end_before_they_run(mini_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As they do for want of memory, which `Thread.start` waits for without end.
    monkeypatch.setattr(background, "start_new_thread", lambda *_: 0)
    with biogpt_onnx.load(mini_bundle, device="cpu", threads=1) as model:
        assert model.generate_ids([[2, 30, 31]], max_new_tokens=2)
    huge_pages._moves.clear()


def test_a_warm_up_that_fails_in_the_background_says_nothing(
    mini_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed, said = Event(), list[Any]()

    def fail() -> None:
        failed.set()
        raise ImportError("failed to map segment from shared object")

    monkeypatch.setattr(moses, "warm_up", fail)
    monkeypatch.setattr(sys, "unraisablehook", said.append)
    with biogpt_onnx.load(mini_bundle, device="cpu", threads=1) as model:
        assert failed.wait(30)
        assert model.generate("Aspirin", max_new_tokens=2).text
    assert not said
