"""Task specifications: everything that the package knows about a task, as data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.tasks.definitions.checks import check_settings
from biogpt_onnx.tasks.description import DescriptionTask
from biogpt_onnx.tasks.labels import AnswerTask, ClassificationTask
from biogpt_onnx.tasks.relations import RelationTask
from biogpt_onnx.tasks.results import Answer, Classification, Description, Relations, TaskResult

SpecifiedTask = RelationTask | AnswerTask | ClassificationTask | DescriptionTask
"""A task that a specification can hold."""

TaskKind = Literal["relation extraction", "question answering", "classification", "description"]
"""The kinds of tasks, of which each has its own results and its own command."""

_KINDS: Mapping[type, TaskKind] = {
    RelationTask: "relation extraction",
    AnswerTask: "question answering",
    ClassificationTask: "classification",
    DescriptionTask: "description",
}

_RESULTS: Mapping[type, type[TaskResult]] = {
    RelationTask: Relations,
    AnswerTask: Answer,
    ClassificationTask: Classification,
    DescriptionTask: Description,
}


def result_of(task: SpecifiedTask) -> type[TaskResult]:
    """Returns the class of a task's results."""
    return _RESULTS[type(task)]


@dataclass(frozen=True)
class Evaluation:
    """The evaluation of a task against gold answers.

    The functions are named as "module:function" and imported when they are needed, because they belong to
    `biogpt_onnx.scores`, which builds upon the tasks; `load_function` imports one.

    Attributes:
        metrics: The names of the metrics in the order of the report, the headline first.
        gold_reader: A function that reads a gold file into a `GoldSet`. It takes the file's path; the keyword
            `entities`, a second file or None, if `gold_entities` is set; the keyword `labels`, the task's labels,
            for tasks that predict labels; the keyword `with_conclusion` if `gold_conclusions` is set; and the keyword
            `needs_question` for questions without which a task does.
        report: A function that scores predictions. It takes the keywords `task` (a name), `gold_set`, `predictions`,
            `second` (another model's predictions, or None), `names` (of the two models) and `resampling`; for tasks
            that predict labels also `labels` and `training` (gold answers in which the majority is counted, or None).
        gold_entities: True if the gold file gives the documents' entities with the ids of their concepts.
        gold_conclusions: True if the gold file gives the documents' conclusions, which a model may be shown.

    Raises:
        ConfigError: A value is of another type.
    """

    metrics: tuple[str, ...]
    gold_reader: str
    report: str
    gold_entities: bool = False
    gold_conclusions: bool = False

    def __post_init__(self) -> None:
        check_settings("the evaluation", self)


OWN_EVALUATIONS: Mapping[type, Evaluation] = {
    RelationTask: Evaluation(
        metrics=("F1", "precision", "recall"),
        gold_reader="biogpt_onnx.scores.gold.relations:read_relations",
        report="biogpt_onnx.scores.reports.relations:report_relations",
    ),
    AnswerTask: Evaluation(
        metrics=("accuracy", "macro F1"),
        gold_reader="biogpt_onnx.scores.gold.questions:read_questions",
        report="biogpt_onnx.scores.reports.answers:report_answers",
        gold_conclusions=True,
    ),
    ClassificationTask: Evaluation(
        metrics=("micro F1", "macro F1"),
        gold_reader="biogpt_onnx.scores.gold.hallmarks:read_hallmarks",
        report="biogpt_onnx.scores.reports.hallmarks:report_hallmarks",
    ),
}
"""The evaluation of tasks of one's own, against gold in the general form, by the class of the task."""


@dataclass(frozen=True)
class TaskSpec:
    """A task with everything that commands, exporter and evaluation need to know about it.

    Attributes:
        task: The task, with its name, its prompts, its entity types and its labels.
        title: The name of the task's corpus, as reports print it.
        checkpoints: The names, in lower case, of the folders and hub repositories in which fine-tuned checkpoints of
            the task are published.
        known_by_soft_prompt: True if a checkpoint with the task's size of soft prompt is of no other task.
        fine_tuned: True if the task needs a checkpoint that was fine-tuned for it.
        evaluation: The evaluation against gold answers; None for none.

    Raises:
        ConfigError: A value is of another type.
    """

    task: SpecifiedTask
    title: str
    checkpoints: tuple[str, ...] = ()
    known_by_soft_prompt: bool = False
    fine_tuned: bool = True
    evaluation: Evaluation | None = None

    def __post_init__(self) -> None:
        task: object = self.task
        if not isinstance(task, SpecifiedTask):
            raise ConfigError(
                f"a task of class {type(task).__name__} has no specification: give a RelationTask, AnswerTask, "
                "ClassificationTask or DescriptionTask"
            )
        owner = f"the specification of task {self.name}"
        check_settings(owner, self)
        evaluation: object = self.evaluation
        if evaluation is not None and not isinstance(evaluation, Evaluation):
            raise ConfigError(f"{owner}: evaluation is of type {type(evaluation).__name__}: give an Evaluation")

    @property
    def name(self) -> str:
        """The task's name, as commands take it and a bundle's manifest records it."""
        return self.task.name

    @property
    def kind(self) -> TaskKind:
        """The kind of the task."""
        return _KINDS[type(self.task)]

    @property
    def labels(self) -> tuple[str, ...]:
        """The known relations, answers or classes; empty for a task without."""
        return () if isinstance(self.task, DescriptionTask) else self.task.labels

    @property
    def entity_types(self) -> tuple[str, ...]:
        """The types of a relation's head and tail; empty for a task without relations."""
        return (self.task.head_type, self.task.tail_type) if isinstance(self.task, RelationTask) else ()

    @property
    def predicts_labels(self) -> bool:
        """True if results hold a probability for each label, so that the majority and calibration apply."""
        return self.kind in {"question answering", "classification"}


def load_function(entry_point: str) -> Callable[..., Any]:
    """Imports a function that is named as "module:function".

    Raises:
        ImportError: There is no such module.
        AttributeError: The module has no such function.
    """
    module, _, name = entry_point.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function
