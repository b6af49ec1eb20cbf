"""A generation ends in time, or when it is told to, and says which it was."""

import threading
from typing import Any

import pytest

from biogpt_onnx.runtime.decoding.limits import Interrupted, Limits
from biogpt_onnx.runtime.errors import ConfigError


def test_a_time_is_up_at_its_very_end_and_not_before() -> None:
    now = [10.0]
    limits = Limits(max_time=2.5, clock=lambda: now[0])
    assert limits.reached() is None
    now[0] = 12.4
    limits.check()
    now[0] = 12.5
    assert limits.reached() == "time"
    with pytest.raises(Interrupted) as caught:
        limits.check()
    assert caught.value.reason == "time"


def test_without_limits_a_generation_goes_on() -> None:
    limits = Limits(clock=lambda: 1e300)
    assert limits.reached() is None
    limits.check()


@pytest.mark.parametrize("by_event", [True, False])
def test_either_side_may_cancel_and_that_counts_more_than_the_time(by_event: bool) -> None:  # noqa: FBT001
    event = threading.Event()
    limits = Limits(max_time=0.0, cancel=event, clock=lambda: 0.0)
    assert limits.reached() == "time"
    (event.set if by_event else limits.cancel)()
    assert limits.reached() == "cancelled"
    # The caller's event is not for others to set.
    assert event.is_set() == by_event
    with pytest.raises(Interrupted, match="cancelled"):
        limits.check()


@pytest.mark.parametrize("cancel", [threading.Event, True, 5, "now"])
def test_what_is_no_event_is_refused(cancel: Any) -> None:
    with pytest.raises(ConfigError, match=r"cancel is .*: give a threading\.Event"):
        Limits(cancel=cancel)
