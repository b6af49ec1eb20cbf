from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx.runtime.decoding.batching.scheduling import Action, View, next_action

BESIDE_STEPS = [Action.WAIT, Action.READ, Action.READ_AND_STEP, Action.SEARCH]
STEPS = {Action.STEP, Action.READ_AND_STEP}

views = st.builds(
    View,
    num_free=st.integers(0, 3),
    waiting_rows=st.integers(0, 3),
    is_reading=st.booleans(),
    is_stepping=st.booleans(),
    num_searches=st.integers(0, 2),
    is_search_waiting=st.booleans(),
    mixes=st.booleans(),
    last=st.sampled_from([*BESIDE_STEPS, Action.STEP]),
    last_beside_steps=st.sampled_from(BESIDE_STEPS),
)


def test_nothing_is_done_where_there_is_nothing_to_do() -> None:
    assert next_action(View(num_free=4)) is Action.WAIT


def test_the_first_waiting_request_begins_when_all_its_rows_are_free() -> None:
    view = View(num_free=2, waiting_rows=3, is_stepping=True, last=Action.STEP)
    assert next_action(view) is Action.STEP
    assert next_action(replace(view, num_free=3)) is Action.BEGIN_ROWS


def test_one_prompt_is_read_at_a_time() -> None:
    assert next_action(View(num_free=2, waiting_rows=1, is_reading=True)) is Action.READ


def test_a_search_waits_until_another_has_ended() -> None:
    view = View(num_free=2, num_searches=1, is_search_waiting=True)
    assert next_action(view) is Action.SEARCH
    assert next_action(view, max_searches=2) is Action.BEGIN_SEARCH


@given(views)
def test_no_running_row_is_held_up_by_more_than_one_pass(view: View) -> None:
    action = next_action(view)
    if view.is_stepping and view.last not in STEPS:
        assert action not in {Action.READ, Action.SEARCH}
    # A mixed pass takes as long as a step with another pass before it.
    assert not (action is Action.READ_AND_STEP and view.last is Action.SEARCH)


@given(views)
def test_what_can_be_done_is_done(view: View) -> None:
    action = next_action(view)
    can_begin = not view.is_reading and 0 < view.waiting_rows <= view.num_free
    assert (action is Action.BEGIN_ROWS) == can_begin
    assert action not in {Action.READ, Action.READ_AND_STEP} or view.is_reading
    assert action not in STEPS or view.is_stepping
    assert action is not Action.READ_AND_STEP or view.mixes
    # Where it can be one pass, it is not two.
    assert not (action is Action.READ and view.mixes and view.is_stepping)
    assert action is not Action.SEARCH or view.num_searches
    idle = not (can_begin or view.is_reading or view.is_stepping or view.num_searches or view.is_search_waiting)
    assert (action is Action.WAIT) == idle


@pytest.mark.parametrize("is_stepping", [False, True])
def test_reading_and_searching_take_turns(*, is_stepping: bool) -> None:
    seen = actions(View(num_free=0, is_reading=True, is_stepping=is_stepping, num_searches=1), 12)
    others = [action for action in seen if action is not Action.STEP]
    assert seen.count(Action.STEP) == (6 if is_stepping else 0)
    assert others[:4] in ([Action.READ, Action.SEARCH] * 2, [Action.SEARCH, Action.READ] * 2)


def actions(view: View, count: int) -> list[Action]:
    """What is done, if nothing comes and nothing ends."""
    seen = []
    for _ in range(count):
        action = next_action(view)
        beside = view.last_beside_steps if action is Action.STEP else action
        view = replace(view, last=action, last_beside_steps=beside)
        seen.append(action)
    return seen


def test_prompts_are_read_in_the_passes_in_which_rows_step() -> None:
    view = View(num_free=0, is_reading=True, is_stepping=True, mixes=True)
    assert actions(view, 3) == [Action.READ_AND_STEP] * 3
    assert actions(replace(view, is_stepping=False), 2) == [Action.READ] * 2


def test_mixed_passes_and_searches_take_turns_with_a_step_between() -> None:
    view = View(num_free=0, is_reading=True, is_stepping=True, num_searches=1, mixes=True)
    assert actions(view, 6) == [Action.READ_AND_STEP, Action.SEARCH, Action.STEP] * 2
