"""Models that are closed: their memory is free, and later use is an error that says so."""

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import biogpt_onnx
from biogpt_onnx import BioGPT, ModelClosedError

CALLS: dict[str, Callable[[BioGPT], object]] = {
    "generate": lambda model: model.generate("Aspirin"),
    "generate_ids": lambda model: model.generate_ids([[2, 5]]),
    "stream": lambda model: model.stream("Aspirin"),
    "prefix": lambda model: model.prefix("Aspirin"),
    "choose": lambda model: model.choose("Aspirin", ["a", "b"]),
    "score": lambda model: model.score("Aspirin"),
    "logits": lambda model: model.logits([2, 5]),
    "embed": lambda model: model.embed("Aspirin"),
}


@pytest.fixture
def model(mini_bundle: Path) -> BioGPT:
    return biogpt_onnx.load(mini_bundle, warm_up=False, threads=1)


def test_leaving_a_with_block_closes_the_model(mini_bundle: Path) -> None:
    with biogpt_onnx.load(mini_bundle, warm_up=False) as model:
        assert model.generate("Aspirin", max_new_tokens=1).token_ids
    assert repr(model) == "BioGPT('mini', closed)"
    assert model.device == "cpu"
    assert model.tokenizer.encode("Aspirin")
    for name, call in CALLS.items():
        with pytest.raises(ModelClosedError, match="the model was closed: load the bundle again"):
            pytest.fail(f"{name} gives {call(model)}")


def test_closing_twice_is_fine_and_an_error_in_the_block_is_kept(model: BioGPT) -> None:
    with pytest.raises(KeyError, match="mine"), model:
        raise KeyError("mine")
    model.close()
    model.close()


def test_the_session_is_freed_though_a_prefix_and_a_stream_remain(model: BioGPT) -> None:
    session = weakref.ref(session_of(model))
    prefix, stream = model.prefix("The patient was given"), model.stream("Aspirin", max_new_tokens=50)
    next(stream)
    model.close()
    gc.collect()
    assert session() is None
    assert len(prefix) > 1
    del prefix, stream
    gc.collect()


def session_of(model: BioGPT) -> Any:
    backend: Any = model._backend
    return backend._decoder._graph.session


@pytest.mark.parametrize("settings", [{}, {"prompt_lookup_num_tokens": 3}, {"do_sample": True, "seed": 1}])
def test_a_stream_that_runs_ends_with_an_error(model: BioGPT, settings: dict[str, Any]) -> None:
    stream = model.stream("The patient was given", max_new_tokens=50, eos_token_id=None, **settings)
    next(stream)
    model.close()
    for _ in range(2):
        with pytest.raises(ModelClosedError, match="was closed"):
            list(stream)


def test_a_stream_can_be_closed_after_its_model(model: BioGPT) -> None:
    with model.stream("The patient was given", max_new_tokens=50, eos_token_id=None) as stream:
        piece = next(stream)
        model.close()
    assert stream.generation is not None
    assert stream.generation.finish_reason == "cancelled"
    assert stream.generation.text.startswith(piece)
