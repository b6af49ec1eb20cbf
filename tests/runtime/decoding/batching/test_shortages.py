"""Passes for which there is no memory: those who came last end, and the others get what they get alone."""

from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx.runtime.decoding.batching.jobs import RowJob, SearchJob
from biogpt_onnx.runtime.decoding.batching.loop import Loop
from biogpt_onnx.runtime.decoding.batching.row import Row
from biogpt_onnx.runtime.decoding.batching.rows import Rows
from biogpt_onnx.runtime.decoding.batching.scheduling import Action
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.decoding.selection.token_selection import NextTokenSelector
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.errors import MemoryLimitError
from makers.models import FakeCache, MixedFake

EOS, VOCAB, POSITIONS, MOST = 2, 12, 400, 128

ERRORS = [
    MemoryError(),
    MemoryLimitError("the key-value cache needs more"),
    RuntimeError("Non-zero status code: Failed to allocate memory for requested buffer of size 262144"),
]

STEP, READ, MIXED = "step", "read", "mixed"


def random_logits(past: list[int]) -> npt.NDArray[np.float32]:
    """Logits that depend on every token before."""
    return np.random.default_rng(past).normal(size=VOCAB).astype(np.float32)


class Scarce(MixedFake):
    """A model that finds no memory for some of its passes of a kind.

    Attributes:
        refused: kind of the passes of which the next ones may fail.
        errors: for each of these, what it raises; None for nothing.
        kinds: kind of each pass that was tried.
    """

    refused = ""

    def __init__(self) -> None:
        super().__init__(random_logits, VOCAB, POSITIONS)
        self.errors: Iterator[Exception | None] = iter(())
        self.kinds: list[str] = []

    def refuse(self, kind: str, errors: Iterable[Exception | None]) -> None:
        self.refused, self.errors = kind, iter(errors)
        self.kinds.clear()

    def forward(self, input_ids: npt.NDArray[np.int64], *rest: Any, **more: Any) -> npt.NDArray[np.float32]:
        self._try(READ)
        return super().forward(input_ids, *rest, **more)

    def forward_steps(
        self,
        input_ids: npt.NDArray[np.int64],
        cache: FakeCache,
        *,
        logits_indices: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.float32]:
        self._try(STEP)
        return super().append(input_ids, cache, logits_indices=logits_indices)

    def read_and_step(self, *rest: Any, **more: Any) -> npt.NDArray[np.float32]:
        self._try(MIXED)
        return super().read_and_step(*rest, **more)

    def _try(self, kind: str) -> None:
        self.kinds.append(kind)
        if kind in self.refused and (error := next(self.errors, None)) is not None:
            raise error


def row_of(number: int, new_tokens: int = 9, length: int = 6) -> Row:
    """A row that samples, so that its tokens show if its random numbers were drawn once too often."""
    config = GenerationConfig(do_sample=True, max_new_tokens=new_tokens)
    prompt = (EOS, *np.random.default_rng(number).integers(3, VOCAB, length).tolist())
    state = SequenceState(prompt, new_tokens, eos_token_id=None, random=np.random.default_rng(number))
    return Row(state, NextTokenSelector(config), Limits())


def alone(number: int, new_tokens: int = 9, length: int = 6) -> list[int]:
    rows, row = Rows(Scarce().backend, 1, POSITIONS), row_of(number, new_tokens, length)
    read_whole(rows, row)
    finish(rows)
    return row.state.token_ids


def read_whole(rows: Rows[FakeCache], *group: Row) -> None:
    rows.begin(group)
    while rows.reading:
        rows.read(MOST)


def finish(rows: Rows[FakeCache]) -> None:
    while rows.stepping or rows.reading:
        rows.read_and_step(MOST)


@pytest.mark.parametrize("error", ERRORS, ids=["python", "limit", "onnxruntime"])
@pytest.mark.parametrize("times", [1, 2, 3, None])
def test_a_step_without_memory_ends_the_newest_and_the_others_go_on_as_alone(
    error: Exception, times: int | None
) -> None:
    model = Scarce()
    rows, running = Rows(model.backend, 3, POSITIONS), [row_of(number) for number in range(3)]
    for row in running:
        read_whole(rows, row)
        rows.step()
    model.refuse(STEP, repeat(error) if times is None else [error] * times)
    ended = list(rows.step())
    count = times or 3
    assert ended == running[::-1][:count]
    assert all(isinstance(row.error, MemoryLimitError) for row in ended)
    # Each try has a row fewer, and there is none for no row.
    assert len(model.kinds) == min(count + 1, 3)
    assert rows.num_stepped == 3 - count
    assert rows.num_free == count
    finish(rows)
    for number, row in enumerate(running[: 3 - count]):
        assert (row.error, row.state.token_ids) == (None, alone(number))
    # Whoever comes next is served as ever.
    if times is not None:
        read_whole(rows, following := row_of(7))
        finish(rows)
        assert following.state.token_ids == alone(7)


def test_the_newest_ends_wherever_its_place_in_the_cache_is() -> None:
    model = Scarce()
    rows = Rows(model.backend, 3, POSITIONS)
    leaving, old, newest = row_of(0, 4), row_of(1, 12), row_of(2, 12)
    for row in (leaving, old):
        read_whole(rows, row)
    rows.step()
    read_whole(rows, newest)
    while not leaving.is_finished:
        rows.step()
    # It has taken the place of the one that left, in front of an older one.
    assert rows.stepping == [newest, old]
    model.refuse(STEP, [MemoryError()])
    assert list(rows.step()) == [newest]
    finish(rows)
    assert (old.error, old.state.token_ids) == (None, alone(1, 12))


def test_other_errors_still_end_all_who_step() -> None:
    model = Scarce()
    rows, running = Rows(model.backend, 2, POSITIONS), [row_of(0), row_of(1)]
    for row in running:
        read_whole(rows, row)
    model.refuse(STEP, [RuntimeError("a fault")])
    assert len(rows.step()) == 2
    assert [str(row.error) for row in running] == ["a fault"] * 2
    assert model.kinds == [STEP]


def test_one_whose_prompt_is_being_read_ends_before_any_that_steps() -> None:
    model = Scarce()
    rows, running, reading = Rows(model.backend, 3, POSITIONS), row_of(0), row_of(1)
    read_whole(rows, running)
    rows.begin([reading])
    rows.read(4)
    model.refuse(STEP, [MemoryError()])
    assert list(rows.step()) == [reading]
    assert not rows.reading
    finish(rows)
    assert running.state.token_ids == alone(0)


@pytest.mark.parametrize(
    ("refused", "errors", "kinds", "ends"),
    [
        # Apart, there is memory for both.
        ([MIXED], [MemoryError()], [MIXED, STEP, READ], []),
        # There is none for the piece.
        ([MIXED, READ], [MemoryError()] * 2, [MIXED, STEP, READ], [1]),
        # There is none for the step while the prompt takes some.
        ([MIXED, STEP], [MemoryError()] * 2, [MIXED, STEP, STEP], [1]),
        ([MIXED, STEP], repeat(MemoryError()), [MIXED, STEP, STEP], [1, 0]),
    ],
)
def test_of_a_mixed_pass_the_one_that_is_read_is_the_first_to_end(
    refused: list[str], errors: Iterable[Exception], kinds: list[str], ends: list[int]
) -> None:
    model = Scarce()
    rows, both = Rows(model.backend, 2, POSITIONS), [row_of(0), row_of(1)]
    read_whole(rows, both[0])
    rows.begin([both[1]])
    model.refuse(" ".join(refused), errors)
    assert list(rows.read_and_step(4)) == [both[number] for number in ends]
    assert model.kinds == kinds
    model.refuse("", ())
    finish(rows)
    for number in {0, 1}.difference(ends):
        assert (both[number].error, both[number].state.token_ids) == (None, alone(number))


@pytest.mark.parametrize("kind", [STEP, READ])
def test_memory_that_nobody_needs_is_given_back_before_anyone_ends(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Scarce()
    rows, first, second = Rows(model.backend, 3, POSITIONS), row_of(0), row_of(1, length=60)
    for row in (first, row_of(2, 2), row_of(3, 2)):
        read_whole(rows, row)
    assert len(rows.step()) == 2
    rows.begin([second])
    (cache,) = model.caches
    held: list[list[int]] = []

    def give_back() -> int:
        held.append(cache.lengths.tolist())
        return 100 if len(held) == 1 else 0

    monkeypatch.setattr(cache, "give_back", give_back)
    model.refuse(kind, [MemoryError()])
    assert list(rows.step() if kind == STEP else rows.read(4)) == []
    # Of the last row, which has ended, nothing is held any more.
    assert held == [[8, 0, 0]]
    finish(rows)
    assert [row.state.token_ids for row in (first, second)] == [alone(0), alone(1, length=60)]


@pytest.mark.parametrize("times", [1, 2])
def test_a_move_that_fails_ends_the_moved_row_alone(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Scarce()
    rows, running = Rows(model.backend, 4, POSITIONS), [row_of(0, 3), row_of(1), row_of(2), row_of(3)]
    for row in running:
        read_whole(rows, row)
    (cache,) = model.caches
    move, errors = cache.move, iter([MemoryError()] * times)

    def refused(*places: int, **more: bool) -> None:
        if (error := next(errors, None)) is not None:
            raise error
        move(*places, **more)

    monkeypatch.setattr(cache, "move", refused)
    finish(rows)
    kept = 4 - times
    assert [row.error is None for row in running] == [number < kept for number in range(4)]
    for number in range(1, kept):
        assert running[number].state.token_ids == alone(number)


def test_of_samples_one_that_cannot_be_copied_ends_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Scarce()
    rows, samples = Rows(model.backend, 3, POSITIONS), [row_of(0) for _ in range(3)]
    (cache,) = model.caches
    move, errors = cache.move, iter([MemoryError()])

    def refused(*places: int, **more: bool) -> None:
        if (error := next(errors, None)) is not None:
            raise error
        move(*places, **more)

    monkeypatch.setattr(cache, "move", refused)
    read_whole(rows, *samples)
    finish(rows)
    assert [row.error is None for row in samples] == [True, False, True]
    assert [samples[number].state.token_ids for number in (0, 2)] == [alone(0)] * 2


def job_of(number: int, told: list[int], length: int = 6) -> RowJob:
    row = row_of(number, length=length)
    return RowJob(Request([row.state]), [row], lambda: told.append(number))


class Room:
    """Stands in for the check of the memory: there is room for prompts while fewer than so many are held."""

    def __init__(self, model: Scarce, most: Callable[[], bool]) -> None:
        self._has_room = most
        self.asked: list[list[int]] = []
        model.backend.check_room = self

    def __call__(self, tokens: Iterable[int]) -> None:
        self.asked.append(list(tokens))
        if not self._has_room():
            raise MemoryLimitError("a cache for 7 tokens needs more")


def test_a_request_for_which_there_is_no_memory_waits_until_one_that_runs_has_ended() -> None:
    model, told = Scarce(), list[int]()
    rows = Rows(model.backend, 3, POSITIONS)
    loop = Loop(rows)
    room = Room(model, lambda: not rows.stepping)
    jobs = [job_of(number, told) for number in range(3)]
    for job in jobs:
        loop.submit(job)
    while loop.advance() is not Action.WAIT:
        assert loop.num_running < 2
    for number, job in enumerate(jobs):
        assert (job.error, job.rows[0].state.token_ids) == (None, alone(number))
        assert job.request.has_ended
    # It is asked again when one has ended, and not before each pass.
    assert room.asked == [[15]] * 5


def passes(count: int) -> Iterator[None]:
    yield from [None] * count


def test_one_that_waits_for_memory_begins_when_a_search_has_ended() -> None:
    model, told = Scarce(), list[int]()
    loop = Loop(Rows(model.backend, 3, POSITIONS))
    search, job = SearchJob(passes(3)), job_of(0, told)
    Room(model, lambda: search.is_finished)
    loop.submit(search)
    assert loop.advance() is Action.BEGIN_SEARCH
    loop.submit(job)
    while loop.advance() is not Action.WAIT:
        pass
    assert (job.error, job.rows[0].state.token_ids) == (None, alone(0))


def test_when_one_that_waits_for_memory_is_cancelled_the_next_takes_its_place() -> None:
    model, told = Scarce(), list[int]()
    loop = Loop(Rows(model.backend, 3, POSITIONS))
    jobs = [job_of(0, told), job_of(1, told)]
    room = Room(model, lambda: jobs[0].is_finished)
    loop.submit(search := SearchJob(passes(100)))
    assert loop.advance() is Action.BEGIN_SEARCH
    for job in jobs:
        loop.submit(job)
    loop.advance()
    assert len(room.asked) == 1
    jobs[0].rows[0].limits.cancel()
    while not jobs[1].is_finished:
        loop.advance()
    assert jobs[0].rows[0].state.finish_reason == "cancelled"
    assert jobs[1].rows[0].state.token_ids == alone(1)
    assert not search.is_finished


def test_where_nobody_runs_a_request_without_memory_ends_and_the_next_begins() -> None:
    model, told = Scarce(), list[int]()
    loop = Loop(Rows(model.backend, 3, POSITIONS))
    Room(model, lambda: bool(told))
    jobs = [job_of(0, told), job_of(1, told)]
    for job in jobs:
        loop.submit(job)
    while loop.advance() is not Action.WAIT:
        pass
    assert isinstance(jobs[0].error, MemoryLimitError)
    assert told[0] == 0
    assert jobs[0].request.has_ended
    assert jobs[1].rows[0].state.token_ids == alone(1)


def test_the_one_whose_prompt_was_being_read_is_told_that_it_has_ended() -> None:
    model, told = Scarce(), list[int]()
    model.backend.mixed = None
    loop = Loop(Rows(model.backend, 3, POSITIONS))
    running, reading = job_of(0, told), job_of(1, told, length=60)
    loop.submit(running)
    for _ in range(3):
        loop.advance()
    loop.submit(reading)
    while loop.advance() is not Action.READ:
        pass
    told.clear()
    model.refuse(STEP, [MemoryError()])
    assert loop.advance() is Action.STEP
    assert set(told) == {0, 1}
    assert isinstance(reading.error, MemoryLimitError)
    assert reading.request.has_ended
    assert loop.num_running == 1
    while loop.advance() is not Action.WAIT:
        pass
    assert running.rows[0].state.token_ids == alone(0)
