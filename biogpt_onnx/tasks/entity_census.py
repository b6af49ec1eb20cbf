"""The types of the entities that documents name, counted to find files of which a task makes nothing."""

from collections import Counter

from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.entity_types import is_of_type
from biogpt_onnx.tasks.relations import RelationTask

_MOST_NAMED = 20
_LONGEST = 40


class EntityCensus:
    """Counts of the types of named entities.

    Args:
        task: The task.
    """

    def __init__(self, task: RelationTask) -> None:
        self._task = task
        self._counts: Counter[str] = Counter()

    def count(self, document: Document) -> None:
        """Counts the entities of a document."""
        self._counts.update(entity.type for entity in document.entities or ())

    def problem(self) -> str | None:
        """Returns what is wrong with a file none of whose entities is of one of the task's types; None if nothing."""
        task = self._task
        kinds = list(dict.fromkeys((task.head_type, task.tail_type)))
        missing = [
            kind for kind in kinds if not any(is_of_type(given, kind, task.type_names) for given in self._counts)
        ]
        if not missing:
            return None
        if not self._counts:
            return "names no entities, so --given-entities gives no relations"
        others = [
            given for given in self._counts if not any(is_of_type(given, kind, task.type_names) for kind in kinds)
        ]
        named = ", ".join(
            f"{kind[:_LONGEST] or 'none'} ({count:,})" for kind, count in self._counts.most_common(_MOST_NAMED)
        )
        more = len(self._counts) - _MOST_NAMED
        return (
            f"names entities of the types {named}{f' and {more:,} more' if more > 0 else ''}, none of which is a "
            f"{' or a '.join(missing)}, so there are no relations: if it calls them otherwise, say so, as "
            f"--entity-type {missing[0]}={others[0][:_LONGEST] if others else 'NAME'}"
        )
