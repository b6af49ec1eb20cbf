"""The jobs, each with the class of its tasks; its name is the end of the address at which it is asked for."""

from collections.abc import Mapping

from biogpt_onnx.tasks import AnswerTask, ClassificationTask, DescriptionTask, RelationTask
from biogpt_onnx.tasks.spec import SpecifiedTask, TaskSpec

JOBS: Mapping[str, type[SpecifiedTask]] = {
    "relations": RelationTask,
    "answers": AnswerTask,
    "classifications": ClassificationTask,
    "descriptions": DescriptionTask,
}
"""The class of the tasks of each job, by the job's name."""


def tasks_of_job(job: str, tasks: Mapping[str, TaskSpec]) -> Mapping[str, TaskSpec]:
    """Returns those of some tasks that are of a job."""
    return {name: spec for name, spec in tasks.items() if isinstance(spec.task, JOBS[job])}


def default_task(known: Mapping[str, TaskSpec], recorded: str | None) -> str | None:
    """Returns the task that is meant where a request names none; None if it must.

    Args:
        known: the tasks of its job.
        recorded: the task that the bundle was fine-tuned for; None if it does not say.
    """
    if recorded in known:
        return recorded
    return next(iter(known)) if len(known) == 1 else None


def job_of(spec: TaskSpec) -> str:
    """Returns the name of the job that a task does."""
    return next(name for name, task_type in JOBS.items() if isinstance(spec.task, task_type))
