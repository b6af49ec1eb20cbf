"""Checks of what a task is given to answer and to combine."""

from collections.abc import Sequence
from typing import TypeVar

from biogpt_onnx.runtime.decoding import checks
from biogpt_onnx.runtime.decoding.plain_values import shown
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import ConfigError, PromptError
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.tasks.prompts.building import Prepared
from biogpt_onnx.tasks.results import TaskResult

ResultT = TypeVar("ResultT", bound=TaskResult)


def check_model(model: object) -> None:
    """Refuses what is no model.

    Raises:
        ConfigError: It lacks the parts of one.
    """
    # Not by class: a test's model has the members that it needs.
    if not hasattr(model, "manifest") or not hasattr(model, "tokenizer"):
        raise ConfigError(f"model is of type {type(model).__name__}: give what biogpt_onnx.load returns")


def check_prompt(prompt: object) -> None:
    """Refuses what is no prompt.

    Raises:
        PromptError: It is of another type.
    """
    if not isinstance(prompt, Prepared):
        raise PromptError(f"a prompt is of type {type(prompt).__name__}: give what prepare_for returns")


def check_answering(model: BioGPT, prepared: Sequence[Prepared], *, free: bool) -> None:
    """Refuses a model, prompts or a flag of another type.

    Args:
        model: A bundle of the task.
        prepared: The prompts.
        free: True for a text without constraints.

    Raises:
        ConfigError: The model or the flag is of another type.
        PromptError: The prompts are of another type.
    """
    check_model(model)
    given: object = prepared
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):
        raise PromptError(f"prompts are of type {type(prepared).__name__}: give a list of what prepare_for returns")
    for prompt in prepared:
        check_prompt(prompt)
    checks.flag("free", free)


def check_tokenizer(tokenizer: object) -> None:
    """Refuses what is no tokenizer.

    Raises:
        ConfigError: It is of another type.
    """
    if not isinstance(tokenizer, BioGptTokenizer):
        raise ConfigError(f"tokenizer is of type {type(tokenizer).__name__}: give the model's tokenizer")


def check_results(results: Sequence[ResultT], result_type: type[ResultT], labels: Sequence[str] = ()) -> None:
    """Refuses results that cannot be combined.

    Args:
        results: The results of a document's windows.
        result_type: The class of the task's results.
        labels: The labels of which each result must have the probability.

    Raises:
        ConfigError: There are none, or one is of another type or of a task with other labels.
    """
    given: object = results
    if isinstance(given, str | bytes) or not isinstance(given, Sequence) or not given:
        raise ConfigError(f"results are {shown(given)}: give a list of at least one")
    for result in given:
        if not isinstance(result, result_type):
            name = result_type.__name__
            raise ConfigError(f"a result is of type {type(result).__name__}: give objects of the class {name}")
        missing = next((label for label in labels if label not in getattr(result, "probabilities", {})), None)
        if missing is not None:
            raise ConfigError(f"a result has no probability of {missing!r}: give results of the same task")
