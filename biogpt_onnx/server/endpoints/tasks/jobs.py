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


def job_of(spec: TaskSpec) -> str:
    """Returns the name of the job that a task does."""
    return next(name for name, task_type in JOBS.items() if isinstance(spec.task, task_type))
