"""Turns are interleaved, and end by the clock."""

from collections.abc import Callable

from biogpt_onnx.bench.advice.measurements import BundleFacts, Measurement, Times
from biogpt_onnx.bench.advice.rounds import MAX_ROUNDS, MIN_ROUNDS, take_rounds


class Clock:
    """A time that passes as turns are taken."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class FakeSubject:
    """A bundle each of whose turns takes as long as it says."""

    def __init__(self, name: str, seconds: float, clock: Clock, order: list[str]) -> None:
        self.measurement = Measurement(BundleFacts(name, name, 1), 1)
        self._seconds, self._clock, self._order = seconds, clock, order

    def turn(self) -> tuple[Times, int]:
        self._order.append(self.measurement.bundle.name)
        self._clock.now += self._seconds
        return Times(*[self._seconds] * 4), 1000 * len(self._order)


def rounds(seconds: float, *subjects: tuple[str, float]) -> tuple[list[str], list[FakeSubject], list[tuple[int, int]]]:
    clock, order, steps = Clock(), list[str](), list[tuple[int, int]]()
    made = [FakeSubject(name, each, clock, order) for name, each in subjects]
    report: Callable[[int, int], None] = lambda done, total: steps.append((done, total))  # noqa: E731
    take_rounds(made, seconds, clock=clock, progress=report)
    return order, made, steps


def test_turns_go_round_from_both_ends() -> None:
    order, subjects, steps = rounds(0.0, ("a", 1.0), ("b", 1.1))
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert [list(subject.measurement.rounds) for subject in subjects] == [[0, 1, 2]] * 2
    assert subjects[0].measurement.resident_bytes == 5000
    assert steps == [(number, 6) for number in range(1, 7)]


def test_what_cannot_win_takes_fewer_turns() -> None:
    order, subjects, steps = rounds(0.0, ("a", 1.0), ("slow", 1.5), ("slower", 2.5), ("b", 1.4))
    assert order == ["a", "slow", "slower", "b", "b", "slow", "a", "a", "b"]
    assert [list(subject.measurement.rounds) for subject in subjects] == [[0, 1, 2], [0, 1], [0], [0, 1, 2]]
    assert all(done <= total for done, total in steps)
    assert steps[-1][0] == 9


def test_rounds_go_on_while_there_is_time() -> None:
    assert len(rounds(0.0, ("a", 1.0))[0]) == MIN_ROUNDS
    assert len(rounds(4.5, ("a", 1.0))[0]) == 5
    assert len(rounds(1000.0, ("a", 1.0))[0]) == MAX_ROUNDS
