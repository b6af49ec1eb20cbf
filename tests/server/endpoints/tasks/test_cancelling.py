"""A model that is used for a client who has left is used no further."""

import threading
from typing import Any

import pytest

import biogpt_onnx
from biogpt_onnx import CancelledError
from biogpt_onnx.server.endpoints.tasks.cancelling import cancelled_by
from biogpt_onnx.tasks import BC5CDR, prompts_for
from biogpt_onnx.tasks.prompts.building import Reading


def test_until_then_it_does_the_same(mini: biogpt_onnx.BioGPT) -> None:
    model = cancelled_by(mini, threading.Event())
    ids = [mini.tokenizer.encode("Cisplatin caused")]
    (found,), (expected,) = (each.generate_ids(ids, max_new_tokens=4) for each in (model, mini))
    assert found.sequences == expected.sequences
    assert model.choose("Cisplatin caused", ["renal", "no"]) == mini.choose("Cisplatin caused", ["renal", "no"])
    assert model.manifest is mini.manifest


@pytest.mark.parametrize("name", ["generate", "generate_ids", "choose", "choose_ids"])
def test_what_is_cut_off_is_no_result(mini: biogpt_onnx.BioGPT, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    cancel = threading.Event()
    model = cancelled_by(mini, cancel)

    def cut_off(*_arguments: object, **settings: Any) -> str:
        settings["cancel"].set()
        return "half of a"

    monkeypatch.setattr(mini, name, cut_off)
    with pytest.raises(CancelledError):
        getattr(model, name)("Cisplatin")


def test_the_prompts_of_a_long_document_end(mini: biogpt_onnx.BioGPT) -> None:
    cancel = threading.Event()
    reading = Reading("windows", window_tokens=64, max_source_tokens=50)
    text = "Cisplatin caused renal failure. " * 100
    prompts = prompts_for(BC5CDR, cancelled_by(mini, cancel), text, reading)
    next(prompts)
    cancel.set()
    with pytest.raises(CancelledError):
        next(prompts)
