"""Whatever a public function is given, it gives a result or a `BioGptError`, and no other error."""

import asyncio
import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import filterfalse, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import biogpt_onnx
from biogpt_onnx import BioGPT, BioGptError, GenerationConfig, tasks

SHORT = {"max_new_tokens": 2}
METHODS = [
    *("generate", "generate_ids", "stream", "prefix", "continuations", "choose", "choose_ids", "logits", "score"),
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
CLASSES = [
    *(tasks.Document, tasks.NamedEntity, tasks.Reading, tasks.PromptTemplate, tasks.Source, tasks.Source.of),
    *(tasks.TaskSpec, tasks.Evaluation),
]
# Results and prompts are made by the package itself, and the others are types alone.
NOT_CONSTRUCTED = {
    *(tasks.Answer, tasks.Classification, tasks.Description, tasks.Relation, tasks.Relations, tasks.TaskResult),
    *(tasks.Prepared, tasks.StreamItem, tasks.RunnableTask, tasks.CombiningTask),
}
KINDS: dict[type, dict[str, Any]] = {
    tasks.Task: {"name": "own", "parse": lambda text, _: text},
    tasks.RelationTask: {
        "name": "own",
        "statement": "that {head} is the {relation} of {tail}",
        "labels": ("cause", "cure"),
    },
    tasks.AnswerTask: {"name": "own", "sentence": "it is {label}.", "labels": ("a", "b"), "needs_question": False},
    tasks.ClassificationTask: {"name": "own", "sentence": "it is {label}.", "labels": ("a", "b")},
    tasks.DescriptionTask: {},
}
RESULTS: list[tasks.TaskResult] = [
    tasks.Relations((tasks.Relation("A", "cause", "text", (0, 1), (2, 6), -0.5),), (), "", 7, complete=True),
    tasks.Answer("a", {"a": 0.75, "b": 0.25}, -0.5, "it is a.", 7),
    tasks.Classification(("a",), {"a": 0.75, "b": 0.25}, (), "it is a.", 7),
]
BRIEF: dict[str, Any] = {"soft_prompt_size": None, "config": GenerationConfig(max_new_tokens=3)}
METHODS_OF_TASKS = [
    *((kind, "answer") for kind in KINDS),
    *((kind, "combine") for kind in (tasks.RelationTask, tasks.AnswerTask, tasks.ClassificationTask)),
    *((tasks.RelationTask, "constraint"), (tasks.Task, "source")),
]

# What decides which texts are allowed is the caller's own code, or a setting with tests of its own.
LEFT_OUT = {"allowed", "eos_token_id"}
# A class is a function too: what it raises when it is called is the caller's own error.
FUNCTIONS = {"parse", "source"}


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
        "origins": (0, 1, None),
        "pieces": [("a", 0), ("b", None)],
        "metrics": ("F1",),
        "title": "A title",
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
        for value in filterfalse(callable, WRONG) if name in FUNCTIONS else WRONG:
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
    more = SHORT if name in {"generate", "generate_ids", "stream", "agenerate", "astream"} else {}
    assert list(faults(getattr(mini, name), good, **more)) == []


@pytest.mark.parametrize("name", OF_TOKENIZER)
def test_methods_of_the_tokenizer(mini: BioGPT, good: dict[str, Any], name: str) -> None:
    assert list(faults(getattr(mini.tokenizer, name), good)) == []


@pytest.mark.parametrize("name", OF_TASKS)
def test_functions_of_tasks(mini: BioGPT, good: dict[str, Any], name: str) -> None:
    prepared = tasks.prepare_for(good["task"], mini, "A text.")
    assert list(faults(getattr(tasks, name), {**good, "prompts": [prepared]})) == []


@pytest.mark.parametrize("path", [None, 5, b"x", [], Unknown(), "\0", "\0.toml"])
def test_the_file_of_a_task(path: Any) -> None:
    # A path that leads nowhere is an OSError, as everywhere.
    with pytest.raises(BioGptError, match=r"give the path of a TOML file|no path of a file"):
        tasks.load(path)


def test_registering() -> None:
    assert list(faults(tasks.register, {})) == []


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_setting_that_a_task_takes_is_one_that_it_works_with(mini: BioGPT, kind: type, free: bool) -> None:  # noqa: FBT001
    @functools.wraps(kind, updated=())
    def answering(**settings: Any) -> list[Any]:
        return tasks.run(kind(**settings), mini, ["Lithium led to tremor."], free=free)

    assert list(faults(answering, {}, **BRIEF, **KINDS[kind])) == []


@pytest.mark.parametrize(("kind", "method"), METHODS_OF_TASKS, ids=lambda each: getattr(each, "__name__", each))
def test_methods_of_tasks(mini: BioGPT, kind: type, method: str) -> None:
    task = kind(**BRIEF, **KINDS[kind])
    prepared = tasks.prepare_for(task, mini, "Lithium led to tremor.")
    arguments = {
        "model": mini,
        "prepared": [prepared] if method == "answer" else prepared,
        "tokenizer": mini.tokenizer,
        "results": [],
        "document": tasks.Document("a"),
    }
    assert list(faults(getattr(task, method), arguments)) == []


def test_results_of_another_task_are_not_combined(mini: BioGPT) -> None:
    settings = {**BRIEF, **KINDS[tasks.ClassificationTask]}
    found = tasks.run(tasks.ClassificationTask(**{**settings, "labels": ("a", "c")}), mini, ["Lithium led to tremor."])
    with pytest.raises(BioGptError, match="a result has no probability of 'b': give results of the same task"):
        tasks.ClassificationTask(**settings).combine(found)


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
def test_rows_of_results(result: tasks.TaskResult) -> None:
    assert list(faults(result.to_records, {})) == []
    known = replace(result, document=tasks.Document("A text.", title="A title"))
    assert "A text." in known._repr_html_()


def test_a_source_of_the_callers_own_returns_a_source(mini: BioGPT) -> None:
    def own(document: tasks.Document) -> Any:
        return document.text

    task = tasks.AnswerTask(**BRIEF, **KINDS[tasks.AnswerTask], source=own)
    with pytest.raises(BioGptError, match="the task's source gave a str: let it return a Source"):
        tasks.prepare_for(task, mini, "A text.")


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__qualname__)
def test_documents_prompts_and_specifications(good: dict[str, Any], kind: Callable[..., Any]) -> None:
    own = tasks.RelationTask(**KINDS[tasks.RelationTask])
    arguments = {**good, "task": own, "gold_reader": "a:b", "report": "a:b"}
    assert list(faults(kind, arguments)) == []


def test_every_class_of_tasks_is_tried() -> None:
    classes = {value for name in tasks.__all__ if inspect.isclass(value := getattr(tasks, name))}
    assert classes - NOT_CONSTRUCTED == {*KINDS, *filter(inspect.isclass, CLASSES)}
    methods = {
        (kind, name) for kind in KINDS for name, _ in inspect.getmembers(kind, inspect.isfunction) if name[0] != "_"
    }
    # The attribute of the others, which `test_a_setting_that_a_task_takes_is_one_that_it_works_with` tries.
    assert methods - {(kind, "source") for kind in KINDS if kind is not tasks.Task} == {*METHODS_OF_TASKS}


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
