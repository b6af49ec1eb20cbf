"""What of the wrong type is given to a task, its settings and its functions is refused by its name."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from biogpt_onnx import BioGPT, ConfigError, PromptError, tasks
from biogpt_onnx.tasks import BC5CDR, DDI, HOC, PUBMEDQA, Answer, Document, RelationTask
from biogpt_onnx.tasks.prompts.checks import check_answering, check_prompt, check_results, check_tokenizer
from biogpt_onnx.tasks.prompts.source import Source
from biogpt_onnx.tasks.registry import task_spec
from biogpt_onnx.tasks.spec import TaskSpec

ANSWER = Answer("yes", {"yes": 0.75, "no": 0.25}, -0.5, "the answer is yes", 20)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"statement": 5}, "task bc5cdr: statement is 5: give a string"),
        ({"type_names": "Chemical"}, "type_names is 'Chemical': give pairs of strings"),
        ({"type_names": [("Chemical",)]}, "give pairs of strings"),
        ({"type_names": [("Chemical", 5)]}, "give pairs of strings"),
        ({"type_names": {"Chemical": "Drug"}}, "give pairs of strings"),
        ({"source": "text"}, "source is 'text': give a function"),
        ({"config": {"num_beams": 2}}, "give a GenerationConfig"),
        ({"min_score": True}, "min_score is True: give a probability, a number from 0 to 1"),
        ({"min_score": "0.5"}, "min_score is '0.5'"),
        ({"min_score": -0.001}, r"min_score is -0\.001"),
        ({"min_score": 1.001}, r"min_score is 1\.001"),
        ({"min_score": float("nan")}, "min_score is nan"),
        ({"distinct": 1}, "distinct is 1: give True or False"),
        ({"least_new_tokens": 0}, "least_new_tokens is 0"),
        ({"soft_prompt_size": -1}, "soft_prompt_size is -1"),
    ],
)
def test_a_setting_of_another_type_is_refused_by_its_name(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        replace(BC5CDR, **settings)


@pytest.mark.parametrize("separator", ["", 5])
def test_labels_stand_apart_in_a_sentence(separator: Any) -> None:
    with pytest.raises(ConfigError, match=r"task hoc: separator is .*: give a string that is not empty"):
        replace(HOC, separator=separator)


def test_settings_at_their_limits_are_kept() -> None:
    task = replace(BC5CDR, min_score=1, soft_prompt_size=0, least_new_tokens=1, type_names=[["Chemical", "Drug"]])  # type: ignore[arg-type] # lists
    assert (task.min_score, task.soft_prompt_size, task.least_new_tokens) == (1.0, 0, 1)
    assert task.type_names == (("Chemical", "Drug"),)
    assert replace(BC5CDR, min_score=0).min_score == 0.0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"relation": ""}, r"either the statement holds \{relation\}, or `relation` says"),
        ({"labels": ("a",)}, "`labels` name relations, but the statement has no"),
        ({"type_names": (("Gene", "x"),)}, "'Gene' of `type_names` is no type of the task"),
    ],
)
def test_settings_of_relations_that_contradict_each_other_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        replace(BC5CDR, **settings)


def test_a_task_without_types_has_no_names_of_them() -> None:
    with pytest.raises(ConfigError, match=r"is no type of the task.* none"):
        RelationTask("mine", "that {head} leads to {tail}", relation="cause", type_names=(("Gene", "x"),))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: tasks.load(5), "path is of type int"),  # type: ignore[arg-type] # bad on purpose
        (lambda: task_spec(5), "task is of type int: give its name, the path of a TOML file, or the task"),  # type: ignore[arg-type] # bad on purpose
        (lambda: tasks.register("bc5cdr"), "a task of class str cannot be registered"),  # type: ignore[arg-type] # bad on purpose
        (lambda: TaskSpec("bc5cdr", "x"), "a task of class str has no specification"),  # type: ignore[arg-type] # bad on purpose
        (
            lambda: TaskSpec(BC5CDR, "x", evaluation="f1"),  # type: ignore[arg-type] # bad on purpose
            "specification of task bc5cdr: evaluation is of type str",
        ),
        (lambda: check_tokenizer("tokenizer"), "tokenizer is of type str"),
        (lambda: tasks.combined(BC5CDR, []), r"results are \[\]: give a list of at least one"),
        (lambda: tasks.combined(BC5CDR, "result"), "results are 'result'"),
        (lambda: check_results([], Answer), "give a list of at least one"),
        (lambda: check_results([5], Answer), "a result is of type int: give objects of the class Answer"),  # type: ignore[type-var] # bad on purpose
        (lambda: check_results([ANSWER], Answer, ("yes", "maybe")), "a result has no probability of 'maybe'"),
    ],
)
def test_what_no_function_takes_is_refused(call: Callable[[], object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        call()


def test_results_with_the_probabilities_that_are_asked_for_pass() -> None:
    check_results([ANSWER], Answer, ("yes", "no"))


@pytest.mark.parametrize("prompts", ["a prompt", b"a prompt", 5, {}])
def test_prompts_are_what_was_prepared(mini: BioGPT, prompts: Any) -> None:
    with pytest.raises(PromptError, match="give a list of what prepare_for returns"):
        check_answering(mini, prompts, free=False)
    with pytest.raises(PromptError, match=r"a prompt is of type str: give what prepare_for returns"):
        check_answering(mini, ["a prompt"], free=False)  # type: ignore[list-item] # bad on purpose
    with pytest.raises(PromptError, match="a prompt is of type int"):
        check_prompt(5)
    with pytest.raises(ConfigError, match="free is 1: give True or False"):
        check_answering(mini, [], free=1)  # type: ignore[arg-type] # bad on purpose


@pytest.mark.parametrize("model", ["bundle", SimpleNamespace(manifest=1), SimpleNamespace(tokenizer=1)])
def test_a_model_is_what_was_loaded(model: Any) -> None:
    with pytest.raises(ConfigError, match=r"give what biogpt_onnx\.load returns"):
        tasks.prepare_for(BC5CDR, model, Document("A text."))


@pytest.mark.parametrize("task", [5, RelationTask, SimpleNamespace(name="mine", source=len)])
def test_a_task_has_the_members_of_one(mini: BioGPT, task: Any) -> None:
    with pytest.raises(ConfigError, match=r"task is of type .*: give a task, such as tasks\.BC5CDR"):
        tasks.prepare_for(task, mini, Document("A text."))


def test_how_a_document_is_read_is_a_reading(mini: BioGPT) -> None:
    with pytest.raises(ConfigError, match="reading is of type str: give a Reading"):
        tasks.prepare_for(BC5CDR, mini, Document("A text."), "windows")  # type: ignore[arg-type] # bad on purpose


# --- what a task of one's own makes of a document


@pytest.mark.parametrize(
    ("text", "origins", "said"),
    [
        (5, (), "the text of a source is of type int"),
        ("ab", 5, "the origins of a source are 5"),
        ("ab", ("0", 1), "give whole numbers or None"),
        ("ab", (True, 1), "give whole numbers or None"),
        ("ab", (0,), "a source has 2 characters and 1 origins"),
    ],
)
def test_a_source_says_where_each_character_stands(text: Any, origins: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Source(text, origins)


@pytest.mark.parametrize("piece", ["ab", ("ab",), (5, 0), ("ab", "0"), ("ab", True), ("ab", 0, 0), None])
def test_a_piece_of_a_source_is_a_text_and_its_place(piece: Any) -> None:
    with pytest.raises(ConfigError, match="give a string and the index where it begins"):
        Source.of([piece])


def test_a_source_may_be_made_of_lists() -> None:
    assert Source.of([["ab", 3], ("c", None)]) == Source("abc", (3, 4, None))  # type: ignore[list-item] # a list


def test_a_function_that_returns_no_source_is_named(mini: BioGPT) -> None:
    task = replace(PUBMEDQA, source=lambda document: document.text)  # type: ignore[arg-type,return-value] # bad on purpose
    with pytest.raises(ConfigError, match="the task's source gave a str: let it return a Source"):
        tasks.prepare_for(task, mini, Document("A text.", question="Why?"))


def test_words_that_the_vocabulary_lacks_are_refused_before_anything_is_generated(mini: BioGPT) -> None:
    task = replace(DDI, labels=("\U0001f600",))
    with pytest.raises(ConfigError, match=r"of which the bundle's vocabulary lacks characters"):
        tasks.run(task, _without_task(mini), [Document("Warfarin and aspirin.")])


def test_relations_to_keep_to_must_have_labels(mini: BioGPT) -> None:
    task = replace(DDI, labels=())
    with pytest.raises(ConfigError, match="has no labels to keep to"):
        tasks.run(task, _without_task(mini), [Document("Warfarin and aspirin.")])


def _without_task(mini: BioGPT) -> BioGPT:
    """A bundle that any of the tasks of nine rows may run on."""
    assert mini.manifest.task in (None, DDI.name)
    return mini


# --- labels, types and files of one's own


def test_a_path_with_a_zero_character_is_no_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no path of a file"):
        tasks.load(f"{tmp_path}/a\0.toml")


def test_hallmarks_are_settings_that_a_copy_keeps() -> None:
    assert replace(HOC, labels=["a", "b"], alone=["b"]).labels == ("a", "b")  # type: ignore[arg-type] # lists
