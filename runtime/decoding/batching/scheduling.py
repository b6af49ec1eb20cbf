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
    READ_AND_STEP = auto()
    """A piece of a prompt is read, and all running rows get a token, in one pass."""
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
        mixes: True if a piece can be read and rows stepped in one pass.
        last: what was done last, beginnings aside.
        last_beside_steps: what was done last, beginnings and steps aside.
    """

    num_free: int
    waiting_rows: int = 0
    is_reading: bool = False
    is_stepping: bool = False
    num_searches: int = 0
    is_search_waiting: bool = False
    mixes: bool = False
    last: Action = Action.WAIT
    last_beside_steps: Action = Action.WAIT


def next_action(view: View, max_searches: int = 1) -> Action:
    """Returns what the model does next.

    Requests begin in the order in which they came, those for rows and searches each by themselves. One prompt is read
    at a time, if possible in the passes in which the running rows get their tokens. Between two tokens of a running row
    at most one other pass is taken: a piece of a prompt or a pass of a search, in turns if there are both. So no one
    waits for ever, and no one is held up by more than a pass. A mixed pass, which takes as long as a piece and a step,
    does not follow a search's pass, but the step after it.

    Args:
        view: what waits and what runs.
        max_searches: most searches that run at a time.
    """
    if not view.is_reading and 0 < view.waiting_rows <= view.num_free:
        return Action.BEGIN_ROWS
    if view.is_search_waiting and view.num_searches < max_searches:
        return Action.BEGIN_SEARCH
    return _next_pass(view)


def _next_pass(view: View) -> Action:
    is_reads_turn = view.is_reading and (not view.num_searches or view.last_beside_steps not in _READS)
    if is_reads_turn and view.mixes and view.is_stepping and view.last is not Action.SEARCH:
        return Action.READ_AND_STEP
    if view.is_stepping and view.last not in _STEPS:
        return Action.STEP
    if is_reads_turn:
        return Action.READ
    if view.num_searches:
        return Action.SEARCH
    return Action.STEP if view.is_stepping else Action.WAIT


_STEPS = frozenset({Action.STEP, Action.READ_AND_STEP})
_READS = frozenset({Action.READ, Action.READ_AND_STEP})
