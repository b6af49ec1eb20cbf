"""Identity of a task: everything in it that determines its results, in words that are the same in every process."""

import dataclasses


def task_identity(task: object) -> dict[str, str]:
    """Returns the settings of a task by their names, for the identity of an unfinished run.

    Args:
        task: The task; of one that is no dataclass the name of its class alone is known.
    """
    found = {"class": type(task).__qualname__}
    if dataclasses.is_dataclass(task):
        found |= {field.name: _words(getattr(task, field.name)) for field in dataclasses.fields(task)}
    return found


def _words(value: object) -> str:
    # The words for a function hold its address, which is another one in every process.
    name = getattr(value, "__qualname__", None)
    return repr(value) if name is None else f"{getattr(value, '__module__', '')}.{name}"
