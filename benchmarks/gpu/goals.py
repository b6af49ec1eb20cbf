"""Goals for the speed on a GPU, and whether they are met."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from benchmarks.gpu.parts import Found


class Goal(NamedTuple):
    """A measured ratio, and the most that it should be.

    Attributes:
        what: the ratio in words.
        at_most: the goal.
        path: where among the parts' results the ratio stands.
    """

    what: str
    at_most: float
    path: tuple[str, ...]


GOALS = (
    Goal(
        "biogpt: greedy step to the time to read its weights once",
        3.0,
        ("speed biogpt", "batches", "1", "step_to_floor"),
    ),
    Goal(
        "biogpt: greedy step to that of transformers, eager",
        0.15,
        ("transformers biogpt", "batches", "1", "step_to_transformers"),
    ),
    Goal(
        "biogpt-large: greedy step to the time to read its weights once",
        1.8,
        ("speed biogpt-large", "batches", "1", "step_to_floor"),
    ),
)


def reached(parts: Mapping[str, Found]) -> list[Found]:
    """Returns each goal, with what was measured and whether that meets it; null where it was not measured."""
    return [_reached(goal, _at(parts, goal.path)) for goal in GOALS]


def _reached(goal: Goal, measured: float | None) -> Found:
    met = None if measured is None else measured <= goal.at_most
    return {"goal": goal.what, "at_most": goal.at_most, "measured": measured, "met": met}


def _at(parts: Mapping[str, Any], path: tuple[str, ...]) -> float | None:
    found: Any = parts
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, float) else None
