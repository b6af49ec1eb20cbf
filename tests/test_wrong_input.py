"""Whatever a public function is given, it gives a result or a `BioGptError`, and no other error."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import biogpt_onnx
from biogpt_onnx import BioGPT, BioGptError, GenerationConfig, tasks

SHORT = {"max_new_tokens": 2}
METHODS = [
    *("generate", "generate_ids", "stream", "prefix", "continuations", "choose", "choose_ids", "logits", "score"),
    *("score_ids", "stream_pieces"),
    *("embed", "classify_texts", "tag_tokens", "agenerate", "astream", "concurrent"),
]
OF_TOKENIZER = [
    *("encode", "decode", "tokenize", "tokenize_with_spans", "id_to_symbol", "symbol_to_id", "text_of"),
    *("prompt_text_of", "token_text"),
]
OF_TASKS = [
    *("run", "stream", "check_task", "prepare_for", "prompts_for", "answer_document", "combined"),
    *("get", "task_spec"),
]
CLASSES = [tasks.Document, tasks.NamedEntity, tasks.Reading]

# What decides which texts are allowed is the caller's own code, or a setting with tests of its own.
LEFT_OUT = {"allowed", "eos_token_id"}


class Unknown:
    """A type that no function knows."""


WRONG: list[Any] = [
    *(None, 5, 5.5, -1, True, 10**30, float("nan"), float("inf"), "", "\0", "a", b"x", Unknown(), Unknown),
    *([], {}, set(), (), [None], [5], [[]], ["a", 5], {"a": 1}, iter([5])),
    *(np.array([1, 2]), np.array("a"), np.array([[1.5]]), np.float32(0.5)),
]


@pytest.fixture(scope="module")
def good(mini: BioGPT) -> dict[str, Any]:
    """A good value for each required argument."""
    task = tasks.Task("short", lambda text, _: text, soft_prompt_size=0, config=GenerationConfig(max_new_tokens=2))
    return {
        "prompts": "a",
        "prompt": "a",
        "texts": "a b",
        "text": "a b",
        "choices": ["yes", "no"],
        "symbol": "a",
        "prompt_ids": [[2, 5]],
        "token_ids": [2, 5],
        "text_or_ids": "a",
        "ids": [2, 5],
        "token_id": 5,
        "documents": ["A text."],
        "document": "A text.",
        "task": task,
        "model": mini,
        "results": ["a"],
        "batch_size": 2,
    }


def faults(function: Callable[..., Any], good: dict[str, Any], **more: Any) -> Iterator[str]:
    """Names each argument and wrong value with which a function raises something else."""
    parameters = inspect.signature(function).parameters
    required = {
        name: good[name]
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty
        if name in good
    }
    for name, parameter in parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD or name in LEFT_OUT:
            continue
        for value in WRONG:
            try:
                found = function(**{**more, **required, name: value})
                if inspect.iscoroutine(found):
                    asyncio.run(found)
                elif hasattr(found, "__next__"):
                    list(islice(found, 3))
                elif isinstance(found, BioGPT):
                    found.close()
            except BioGptError as error:
                if "\n" in str(error):
                    yield f"{name}={value!r}: a message of several lines"
            except Exception as error:  # noqa: BLE001 -- that is what is sought
                yield f"{name}={value!r}: {type(error).__name__}: {error}"


@pytest.mark.parametrize("name", METHODS)
def test_methods_of_the_model(mini: BioGPT, good: dict[str, Any], name: str) -> None:
    more = SHORT if name.removeprefix("a").startswith(("generate", "stream")) else {}
    lists = {"prompts": ["a"]} if name == "stream_pieces" else {}
    assert list(faults(getattr(mini, name), good | lists, **more)) == []


@pytest.mark.parametrize("name", OF_TOKENIZER)
def test_methods_of_the_tokenizer(mini: BioGPT, good: dict[str, Any], name: str) -> None:
    assert list(faults(getattr(mini.tokenizer, name), good)) == []


@pytest.mark.parametrize("name", OF_TASKS)
def test_functions_of_tasks(mini: BioGPT, good: dict[str, Any], name: str) -> None:
    prepared = tasks.prepare_for(good["task"], mini, "A text.")
    assert list(faults(getattr(tasks, name), {**good, "prompts": [prepared]})) == []


@pytest.mark.parametrize("path", [None, 5, b"x", [], Unknown()])
def test_the_file_of_a_task(path: Any) -> None:
    # A path that leads nowhere is an OSError, as everywhere.
    with pytest.raises(BioGptError, match="give the path of a TOML file"):
        tasks.load(path)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_documents_and_their_reading(good: dict[str, Any], kind: Callable[..., Any]) -> None:
    assert list(faults(kind, good)) == []


def test_loading(mini_bundle: Path, tmp_path: Path) -> None:
    # One that is no bundle, so that nothing is loaded for a value that `load` takes.
    assert list(faults(biogpt_onnx.load, {"folder": tmp_path})) == []
    assert (mini_bundle / "bundle.json").is_file()


def test_every_method_that_takes_something_is_tried(mini: BioGPT) -> None:
    public = {name for name in dir(BioGPT) if not name.startswith("_") and callable(getattr(BioGPT, name))}
    assert public - {"close"} == set(METHODS)
    takes = {
        name
        for name in dir(mini.tokenizer)
        if not name.startswith("_")
        and callable(getattr(mini.tokenizer, name))
        and inspect.signature(getattr(mini.tokenizer, name)).parameters
    }
    assert takes - {"from_files", "decode_continuation"} == set(OF_TOKENIZER)
