"""The address /v1/tasks: which tasks are offered, and what their documents hold."""

from collections.abc import Mapping

from biogpt_onnx.server.endpoints.tasks.jobs import job_of
from biogpt_onnx.server.http.call import Call
from biogpt_onnx.tasks import AnswerTask, RelationTask
from biogpt_onnx.tasks.spec import TaskSpec


async def list_tasks(call: Call) -> Mapping[str, object]:
    """Lists the tasks."""
    recorded = call.service.model.manifest.task
    data = [_described(spec, is_default=spec.name == recorded) for spec in call.service.tasks.values()]
    return {"object": "list", "data": data}


def _described(spec: TaskSpec, *, is_default: bool) -> Mapping[str, object]:
    task = spec.task
    return {
        "id": spec.name,
        "object": "task",
        "title": spec.title,
        "kind": spec.kind,
        "address": f"/v1/tasks/{job_of(spec)}",
        "labels": list(spec.labels),
        "entity_types": list(spec.entity_types),
        "needs_question": isinstance(task, AnswerTask) and task.needs_question,
        "takes_entities": isinstance(task, RelationTask),
        "fine_tuned_for": is_default,
    }
