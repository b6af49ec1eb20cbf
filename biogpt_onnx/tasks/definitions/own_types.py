"""Types of one's own: a task that knows its entity types by the names that a file has for them."""

from collections.abc import Iterable
from dataclasses import replace

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.tasks.relations import RelationTask


def with_type_names(task: RelationTask, pairs: Iterable[tuple[str, str]]) -> RelationTask:
    """Returns a task that also knows its types by other names.

    Args:
        task: The task.
        pairs: Pairs of a type of the task, in any case, and a name of it.

    Raises:
        ConfigError: The task has no such type, or a name is empty.
    """
    known = {kind.lower(): kind for kind in (task.head_type, task.tail_type) if kind}
    found = []
    for kind, name in pairs:
        if kind.strip().lower() not in known:
            has = f"the types {' and '.join(known.values())}" if known else "no types"
            raise ConfigError(f"entity type {kind!r}: the task {task.name} has {has}")
        if not name.strip():
            raise ConfigError(f"entity type {kind!r} has an empty name: give the one that the file has for it")
        found.append((known[kind.strip().lower()], name.strip()))
    return replace(task, type_names=(*task.type_names, *found))
