"""The decision of what the model does next, as a pure function of what waits and what runs."""

from dataclasses import dataclass
from enum import Enum, auto


class Action(Enum):
    """What the model does next."""

    BEGIN_ROWS = auto()
    """The first waiting rows begin: their prompt is the next to be read."""
    BEGIN_SEARCH = auto()
    """The first waiting search begins."""
    READ = auto()
    """A piece of a prompt is read."""
    STEP = auto()
    """All running rows get a token."""
    SEARCH = auto()
    """A search takes a pass: of beams, drafts or choices."""
    WAIT = auto()
    """There is nothing to do."""


@dataclass(frozen=True)
class View:
    """What waits and what runs.

    Attributes:
        num_free: number of rows that may begin.
        waiting_rows: number of rows that the first waiting request for rows needs; 0 if none waits.
        is_reading: True if a prompt is being read.
        is_stepping: True if rows are running.
        num_searches: number of searches that are running.
        is_search_waiting: True if a search waits.
        last: what was done last, beginnings aside.
        last_beside_steps: what was done last, beginnings and steps aside.
    """

    num_free: int
    waiting_rows: int = 0
    is_reading: bool = False
    is_stepping: bool = False
    num_searches: int = 0
    is_search_waiting: bool = False
    last: Action = Action.WAIT
    last_beside_steps: Action = Action.WAIT


def next_action(view: View, max_searches: int = 1) -> Action:
    """Returns what the model does next.

    Requests begin in the order in which they came, those for rows and searches each by themselves. One prompt is read
    at a time. Between two tokens of a running row at most one other pass is taken: a piece of a prompt or a pass of a
    search, in turns if there are both. So no one waits for ever, and no one is held up by more than a pass.

    Args:
        view: what waits and what runs.
        max_searches: most searches that run at a time.
    """
    if not view.is_reading and 0 < view.waiting_rows <= view.num_free:
        return Action.BEGIN_ROWS
    if view.is_search_waiting and view.num_searches < max_searches:
        return Action.BEGIN_SEARCH
    if view.is_stepping and view.last is not Action.STEP:
        return Action.STEP
    if view.is_reading and (not view.num_searches or view.last_beside_steps is not Action.READ):
        return Action.READ
    if view.num_searches:
        return Action.SEARCH
    return Action.STEP if view.is_stepping else Action.WAIT
