"""Loading of a bundle, of which parts go on at the same time."""

import shutil
import time
from _thread import _count
from pathlib import Path
from threading import Event
from typing import Any

import pytest

import biogpt_onnx
from biogpt_onnx.runtime import loading
from biogpt_onnx.runtime.backends import registry
from makers.bundles import record_file


def test_the_vocabulary_is_read_while_the_graph_opens(mini_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    is_read, open_tokenizer, open_backend = Event(), loading.open_tokenizer, registry.open_backend

    def read(*arguments: Any) -> object:
        tokenizer = open_tokenizer(*arguments)
        is_read.set()
        return tokenizer

    def open_graph(*arguments: Any) -> object:
        assert is_read.wait(timeout=60), "the vocabulary waits for the graph"
        return open_backend(*arguments)

    monkeypatch.setattr(loading, "open_tokenizer", read)
    monkeypatch.setattr(loading, "open_backend", open_graph)
    assert biogpt_onnx.load(mini_bundle, warm_up=False).generate("Aspirin", max_new_tokens=2).text


def test_a_damaged_vocabulary_is_an_error_of_the_load_and_not_of_its_thread(mini_bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(mini_bundle, tmp_path / "bundle")
    vocabulary = tmp_path / "bundle" / "vocab.json"
    vocabulary.write_bytes(b"[" + vocabulary.read_bytes()[1:])
    record_file(tmp_path / "bundle", vocabulary.name)
    with pytest.raises(biogpt_onnx.BundleError, match=r"vocab\.json is not JSON.*export the bundle again"):
        biogpt_onnx.load(tmp_path / "bundle")


def test_whatever_ends_the_thread_ends_the_load(mini_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A load that waits for a thread that has died would never end."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(loading, "open_tokenizer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        biogpt_onnx.load(mini_bundle)


def test_a_graph_that_cannot_be_opened_leaves_no_thread(mini_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise biogpt_onnx.ProviderError("no provider")

    monkeypatch.setattr(loading, "open_backend", fail)
    before = _count()
    with pytest.raises(biogpt_onnx.ProviderError, match="no provider"):
        biogpt_onnx.load(mini_bundle, warm_up=False)
    until = time.monotonic() + 60
    while _count() > before and time.monotonic() < until:
        time.sleep(0.01)
    assert _count() <= before
