"""What a request for a task asks for, read from its fields."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from biogpt_onnx.files.rows import Row
from biogpt_onnx.files.text.fields import FieldRow, rows_of_fields
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.server.endpoints.models import check_model
from biogpt_onnx.server.endpoints.tasks.jobs import JOBS, job_of
from biogpt_onnx.server.endpoints.tasks.settings import Adjusted, adjusted, read_reading
from biogpt_onnx.server.http.errors import ApiError, bad_field
from biogpt_onnx.server.http.fields import Fields
from biogpt_onnx.server.service import Service
from biogpt_onnx.tasks.bundle_check import check_bundle
from biogpt_onnx.tasks.definitions.suggestions import did_you_mean
from biogpt_onnx.tasks.prompts.building import Reading
from biogpt_onnx.tasks.registry import TASK_SPECS
from biogpt_onnx.tasks.spec import TaskSpec


@dataclass(frozen=True)
class Asked:
    """What a request for a task asks for.

    Attributes:
        adjusted: the task with the request's settings.
        reading: how documents are read.
        documents: the documents, as they came.
    """

    adjusted: Adjusted
    reading: Reading
    documents: Sequence[object]

    def rows(self) -> list[Row]:
        """Returns the documents as the rows of a file; takes a while for long ones."""
        found = (_fields_of(number, document) for number, document in enumerate(self.documents, start=1))
        return list(rows_of_fields(found, self.adjusted.columns))


def read_asked(job: str, fields: Fields, service: Service) -> Asked:
    """Reads what a request asks for.

    Args:
        job: name of the job.
        fields: the request's fields.
        service: what endpoints share.

    Raises:
        ApiError: a field has a bad value, is not known, or does not go with another.
        ConfigError: the task has no such setting.
    """
    check_model(service, fields.text("model"))
    spec = _spec(job, fields.text("task"), service)
    documents = fields.items("documents", service.settings.max_prompts, lambda _, document: document)
    asked = Asked(adjusted(spec.task, fields, service.settings), read_reading(fields), documents)
    fields.done()
    return asked


def _spec(job: str, name: str | None, service: Service) -> TaskSpec:
    """Returns the task that a request names or, if it names none, the only one that it can mean."""
    known = {each: spec for each, spec in service.tasks.items() if isinstance(spec.task, JOBS[job])}
    if not known:
        raise ApiError(
            404, f"the model does no {job}: the address /v1/tasks lists what it does", code="task_not_offered"
        )
    if name is None:
        recorded = service.model.manifest.task
        name = recorded if recorded in known else next(iter(known)) if len(known) == 1 else None
    if name is None:
        raise bad_field("task", f"is missing: give one of {', '.join(known)}")
    if name in known:
        return known[name]
    raise ApiError(400, _refusal(job, name, known, service), param="task", code="task_not_found")


def _refusal(job: str, name: str, known: Mapping[str, TaskSpec], service: Service) -> str:
    """Returns why a task is not to be had."""
    if name in service.tasks:
        other = job_of(service.tasks[name])
        return f"task is {name}, which is no task of {job}: send it to /v1/tasks/{other}"
    if name in TASK_SPECS:
        spec = TASK_SPECS[name]
        try:
            check_bundle(service.model.manifest, name, spec.task.soft_prompt_size)
        except ConfigError as error:
            return f"task is {name}, which is not offered: {error}"
    return f"there is no such task{did_you_mean(name, known)}: known are {', '.join(known)}"


def _fields_of(number: int, document: object) -> FieldRow:
    """Returns a document as the fields of a row of a file."""
    if isinstance(document, dict):
        return FieldRow(number, document)
    return FieldRow(number, {}, "it is JSON, but no object: give an object of plain fields")
