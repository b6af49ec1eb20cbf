import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biogpt_onnx.runtime.backends.cpu.backend import CpuBackend
from biogpt_onnx.runtime.decoding.batching import loop as loop_module
from biogpt_onnx.runtime.decoding.batching.jobs import RowJob, SearchJob
from biogpt_onnx.runtime.decoding.batching.loop import Loop
from biogpt_onnx.runtime.decoding.batching.rows import Rows
from biogpt_onnx.runtime.decoding.batching.scheduling import Action
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Interrupted, Limits
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.decoding.search import run_search
from biogpt_onnx.runtime.decoding.selection.sampler import generators
from biogpt_onnx.runtime.decoding.selection.token_selection import NextTokenSelector
from biogpt_onnx.runtime.decoding.state import SequenceState
from makers.models import FakeCache, FakeModel, MixedFake

EOS, VOCAB, POSITIONS = 2, 12, 400


def random_logits(past: list[int]) -> npt.NDArray[np.float32]:
    """Logits that depend on every token before."""
    return np.random.default_rng(abs(hash(tuple(past)))).normal(size=VOCAB).astype(np.float32)


def model(*, mixes: bool = False) -> FakeModel:
    return (MixedFake if mixes else FakeModel)(random_logits, VOCAB, POSITIONS)


@dataclass
class Asked:
    """A request as somebody sends it.

    Attributes:
        arrival: number of the pass before which it comes.
        cancelled_after: number of passes after which it is taken back; None for never.
    """

    prompt: list[int]
    settings: dict[str, Any]
    arrival: int = 0
    cancelled_after: int | None = None
    cancel: threading.Event = field(default_factory=threading.Event)

    def request(self) -> Request:
        config = self.config
        sources = generators(config.seed if isinstance(config.seed, int) else 0, config.num_return_sequences)
        samples = sources if config.do_sample else [None]
        states = [
            SequenceState(tuple(self.prompt), config.most_new_tokens(0), eos_token_id=EOS, random=source)
            for source in samples
        ]
        return Request(states)

    @property
    def config(self) -> GenerationConfig:
        return GenerationConfig(**self.settings)

    def alone(self) -> list[list[int]]:
        request = self.request()
        for _ in run_search(model().backend, [request], self.config, Limits()):
            pass
        return [state.token_ids for state in request.states]


def job_of(asked: Asked, fake: FakeModel) -> tuple[Request, RowJob | SearchJob]:
    request, limits = asked.request(), Limits(cancel=asked.cancel)
    if asked.config.num_beams > 1 or asked.config.prompt_lookup_num_tokens:
        return request, SearchJob(run_search(fake.backend, [request], asked.config, limits))
    return request, RowJob.of(request, NextTokenSelector(asked.config), limits)


def together(all_asked: list[Asked], max_rows: int, *, mixes: bool) -> list[Request]:
    """Serves the requests with one model, as they arrive and are taken back."""
    fake = model(mixes=mixes)
    loop = Loop(Rows(fake.backend, max_rows, POSITIONS))
    jobs = [job_of(asked, fake) for asked in all_asked]
    passes = 0
    while True:
        for asked, (_, job) in zip(all_asked, jobs, strict=True):
            if asked.arrival == passes:
                loop.submit(job)
                asked.arrival = -1
            if asked.cancelled_after is not None and passes >= asked.cancelled_after:
                asked.cancel.set()
        action = loop.advance()
        if action is Action.WAIT and all(asked.arrival < 0 for asked in all_asked):
            break
        passes += action not in {Action.BEGIN_ROWS, Action.BEGIN_SEARCH}
    assert (loop.num_waiting, loop.num_running) == (0, 0)
    assert all(job.is_finished and job.error is None for _, job in jobs)
    return [request for request, _ in jobs]


greedy = st.fixed_dictionaries({"max_new_tokens": st.integers(1, 8)})
sampled = st.fixed_dictionaries(
    {
        "max_new_tokens": st.integers(1, 8),
        "do_sample": st.just(value=True),
        "seed": st.integers(0, 9),
        "num_return_sequences": st.integers(1, 2),
        "top_k": st.integers(0, 5),
    }
)
ruled = st.fixed_dictionaries({"max_new_tokens": st.integers(2, 8), "repetition_penalty": st.just(1.5)})
beams = st.fixed_dictionaries({"max_new_tokens": st.integers(1, 6), "num_beams": st.integers(2, 3)})
drafts = st.fixed_dictionaries({"max_new_tokens": st.integers(1, 8), "prompt_lookup_num_tokens": st.just(2)})

requests = st.builds(
    Asked,
    prompt=st.one_of(
        st.lists(st.integers(3, VOCAB - 1), min_size=0, max_size=12).map(lambda ids: [EOS, *ids]),
        st.integers(120, 280).map(lambda length: [EOS, *np.random.default_rng(length).integers(3, VOCAB, length)]),
    ).map(lambda ids: [int(token) for token in ids]),
    settings=st.one_of(greedy, sampled, ruled, beams, drafts),
    arrival=st.integers(0, 12),
    cancelled_after=st.one_of(st.none(), st.none(), st.integers(0, 15)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(requests, min_size=1, max_size=6), st.integers(2, 4), st.booleans())
def test_every_request_gets_the_tokens_that_it_gets_alone(all_asked: list[Asked], max_rows: int, mixes: bool) -> None:  # noqa: FBT001 -- drawn
    alone = [asked.alone() for asked in all_asked]
    served = together(all_asked, max_rows, mixes=mixes)
    for asked, request, expected in zip(all_asked, served, alone, strict=True):
        got = [state.token_ids for state in request.states]
        reasons = {state.finish_reason for state in request.states}
        assert None not in reasons
        # Of beams that are cut off, one that had ended before may be the best.
        may_be_cut = asked.config.num_beams > 1 and asked.cancelled_after is not None
        if "cancelled" not in reasons and not may_be_cut:
            assert got == expected
        elif asked.config.num_beams == 1:
            assert all(tokens == whole[: len(tokens)] for tokens, whole in zip(got, expected, strict=True))
        else:
            assert asked.cancelled_after is not None


class TimedModel(MixedFake):
    """A model whose passes take made-up times: of reading, so much for each token.

    Attributes:
        now: the time in milliseconds.
        ends: what each pass was, the tokens that it read and stepped, and the time at its end.
    """

    def __init__(self, of_token: float = 1.2, *, mixes: bool = False) -> None:
        super().__init__(random_logits, VOCAB, 1000)
        self.mixes = mixes
        self.now, self.of_token, self.ends = 0.0, of_token, list[tuple[Action, int, int, float]]()

    @cached_property
    def backend(self) -> Any:
        return CpuBackend(self, self if self.mixes else None)

    def forward(self, input_ids: npt.NDArray[np.int64], *arguments: Any, **more: Any) -> npt.NDArray[np.float32]:
        rows, tokens = input_ids.shape
        self.now += step_of(rows) if tokens == 1 else 18 + self.of_token * tokens
        return super().forward(input_ids, *arguments, **more)

    def read_and_step(
        self,
        piece_ids: npt.NDArray[np.int64],
        cache: FakeCache,
        step_ids: npt.NDArray[np.int64],
        step_cache: FakeCache,
        *,
        is_last: bool,
    ) -> npt.NDArray[np.float32]:
        self.now += step_of(len(step_ids)) + self.of_token * piece_ids.shape[1]
        return super().read_and_step(piece_ids, cache, step_ids, step_cache, is_last=is_last)

    def note(self, action: Action, num_read: int, num_stepped: int, _: float) -> None:
        self.ends.append((action, num_read, num_stepped, self.now))


def step_of(rows: int) -> float:
    return 17.2 + 2.8 * rows


def scores(fake: FakeModel, length: int) -> SearchJob:
    """A pass of its own that reads a text, as `score` takes it."""

    def passes() -> Iterator[None]:
        list(fake.backend.score_tokens([EOS], None, [5] * length))
        yield from ()

    return SearchJob(passes(), ends_with_pass=True)


LONG = [EOS] + [5] * 380

WHO_READS: dict[str, Callable[[FakeModel], SearchJob | RowJob]] = {
    "row": lambda fake: job_of(Asked(LONG, {"max_new_tokens": 1}), fake)[1],
    "beams": lambda fake: job_of(Asked(LONG, {"max_new_tokens": 2, "num_beams": 2}), fake)[1],
    "drafts": lambda fake: job_of(Asked(LONG, {"max_new_tokens": 2, "prompt_lookup_num_tokens": 2}), fake)[1],
    "scores": lambda fake: scores(fake, 380),
}


@pytest.mark.parametrize("mixes", [False, True])
@pytest.mark.parametrize("of_token", [1.2, 2.5, 0.05])
@pytest.mark.parametrize("readers", [[name] for name in WHO_READS] + [list(WHO_READS)])
def test_a_token_waits_at_most_two_and_a_half_steps_of_a_full_batch_while_another_reads(
    readers: list[str], of_token: float, monkeypatch: pytest.MonkeyPatch, *, mixes: bool
) -> None:
    fake = TimedModel(of_token, mixes=mixes)
    monkeypatch.setattr(loop_module, "perf_counter", lambda: fake.now)
    loop = Loop(Rows(fake.backend, 4, 1000), on_pass=fake.note)
    running = job_of(Asked([EOS, 3], {"max_new_tokens": 600, "min_new_tokens": 600}), fake)[1]
    loop.submit(running)
    for _ in range(3):
        loop.advance()
    for name in readers:
        loop.submit(WHO_READS[name](fake))
    fake.ends.clear()
    fake.shapes.clear()
    while not running.is_finished:
        loop.advance()
    steps = [number for number, (_, _, num_stepped, _) in enumerate(fake.ends) if num_stepped]
    # At most one other pass is between two tokens, none where prompts of rows alone are read in mixed passes.
    alone_mixed = mixes and readers == ["row"]
    assert max(after - before for before, after in itertools.pairwise(steps)) == (1 if alone_mixed else 2)
    between = [fake.ends[after][-1] - fake.ends[before][-1] for before, after in itertools.pairwise(steps)]
    learned = between if of_token == 1.2 else between[12:]
    # A piece is longer only where further prompts wait to be read.
    measure = step_of(1 if alone_mixed else 4)
    assert max(learned) <= (1 + 1.5 * len(readers)) * measure
    # All was read, and in more pieces than where nobody runs.
    pieces = [tokens for rows, tokens in fake.shapes if rows == 1 and tokens > 1]
    pieces += [tokens for tokens, _ in fake.mixed_shapes]
    assert sum(pieces) >= 380 * len(readers)
    assert len(pieces) > (5 if len(readers) == 1 else 3) * len(readers)
    assert bool(fake.mixed_shapes) == (mixes and "row" in readers)


def test_where_nobody_waits_texts_are_read_in_long_pieces() -> None:
    fake = model()
    loop = Loop(Rows(fake.backend, 2, POSITIONS))
    loop.submit(WHO_READS["row"](fake))
    loop.submit(scores(fake, 300))
    while loop.advance() is not Action.WAIT:
        pass
    assert sorted(fake.shapes) == sorted([(1, 256), (1, 125), (1, 256), (1, 44)])


@pytest.mark.parametrize("mixes", [False, True])
def test_each_pass_is_told_of_once_with_its_tokens_and_time(monkeypatch: pytest.MonkeyPatch, *, mixes: bool) -> None:
    fake, told = TimedModel(mixes=mixes), list[tuple[Action, int, int, float]]()
    monkeypatch.setattr(loop_module, "perf_counter", lambda: fake.now)
    loop = Loop(Rows(fake.backend, 4, POSITIONS), on_pass=lambda *report: told.append(report))
    loop.submit(job_of(Asked([EOS, 3, 4], {"max_new_tokens": 4, "min_new_tokens": 4}), fake)[1])
    loop.submit(job_of(Asked([EOS, 3, 4, 5], {"max_new_tokens": 3, "min_new_tokens": 3}), fake)[1])
    for name in ("beams", "scores"):
        loop.submit(WHO_READS[name](fake))
    while loop.advance() is not Action.WAIT:
        pass
    assert len(told) == len(fake.shapes) + len(fake.mixed_shapes)
    assert sum(seconds for *_, seconds in told) == pytest.approx(fake.now)
    assert sum(num_read for _, num_read, _, _ in told) == 3 + 4
    assert sum(num_stepped for _, _, num_stepped, _ in told) == 3 + 2
    kinds = {action: (bool(num_read), bool(num_stepped)) for action, num_read, num_stepped, _ in told}
    both = {Action.READ_AND_STEP: (True, True)} if mixes else {}
    assert kinds == {Action.READ: (True, False), Action.STEP: (False, True), Action.SEARCH: (False, False)} | both


def test_who_comes_while_a_search_reads_begins_at_once() -> None:
    fake, arrived = model(), list[RowJob | SearchJob]()
    loop = Loop(Rows(fake.backend, 2, POSITIONS), lambda: [arrived.pop() for _ in arrived[:]])
    late = job_of(Asked([EOS, 3], {"max_new_tokens": 1}), fake)[1]
    answer = fake.answer

    def arrive(past: list[int]) -> int | npt.NDArray[np.float32]:
        if len(past) == 100:
            arrived.append(late)
        return answer(past)

    fake.answer = arrive
    loop.submit(search := scores(fake, 380))
    for _ in range(2):
        loop.advance()
    assert search.is_finished
    assert late.is_finished
    assert fake.shapes == [(1, 256), (1, 2), (1, 124)]


def test_a_search_that_reads_is_ended_between_its_pieces() -> None:
    fake = model()
    loop = Loop(Rows(fake.backend, 2, POSITIONS))
    loop.submit(search := scores(fake, 380))
    search.limits.cancel()
    while loop.advance() is not Action.WAIT:
        pass
    assert isinstance(search.error, Interrupted)
    assert fake.shapes == [(1, 256)]


def test_a_failure_of_the_loop_itself_is_not_taken_for_one_of_the_search_in_which_it_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = model()
    loop = Loop(rows := Rows(fake.backend, 2, POSITIONS))
    loop.submit(job_of(Asked([EOS, 3], {"max_new_tokens": 9}), fake)[1])
    for _ in range(2):
        loop.advance()
    loop.submit(scores(fake, 380))
    step = rows.step

    def fail() -> None:
        monkeypatch.setattr(rows, "step", step)
        raise AssertionError("a bug")

    # Only between two pieces of the search, and once: who takes it for the search's own goes on.
    pause = loop.pause
    monkeypatch.setattr(loop, "pause", lambda tokens: (monkeypatch.setattr(rows, "step", fail), pause(tokens)))
    with pytest.raises(AssertionError, match="a bug"):
        all(loop.advance() for _ in range(5))


def test_the_cache_holds_the_tokens_of_rows_that_are_read_and_continued() -> None:
    fake = model()
    loop = Loop(Rows(fake.backend, 2, POSITIONS))
    assert loop.num_cached_tokens == 0
    loop.submit(job_of(Asked([EOS, 3, 4], {"max_new_tokens": 3, "min_new_tokens": 3}), fake)[1])
    seen = []
    while loop.advance() is not Action.WAIT:
        seen.append(loop.num_cached_tokens)
    # Begun, read, two steps: the last token is never read, and who has ended holds none.
    assert seen == [0, 3, 4, 0]


def test_requests_that_need_several_rows_are_not_overtaken_for_ever() -> None:
    fake = model()
    loop = Loop(Rows(fake.backend, 2, POSITIONS))
    small = [job_of(Asked([EOS, 4 + number], {"max_new_tokens": 5}), fake)[1] for number in range(6)]
    wide = job_of(Asked([EOS, 3], {"max_new_tokens": 2, "do_sample": True, "num_return_sequences": 2}), fake)[1]
    for job in (*small[:2], wide, *small[2:]):
        loop.submit(job)
    while not wide.is_finished:
        loop.advance()
    assert not any(job.is_finished for job in small[2:])


def test_a_request_that_is_taken_back_while_it_waits_costs_nothing() -> None:
    fake = model()
    loop = Loop(Rows(fake.backend, 1, POSITIONS))
    asked = Asked([EOS, 3], {"max_new_tokens": 5})
    request, job = job_of(asked, fake)
    loop.submit(job)
    asked.cancel.set()
    assert loop.advance() is Action.WAIT
    assert request.states[0].finish_reason == "cancelled"
    assert fake.shapes == []


def test_who_is_taken_back_while_his_prompt_is_read_beside_others_leaves_them_their_tokens() -> None:
    fake = model(mixes=True)
    told: list[tuple[object, ...]] = []
    loop = Loop(Rows(fake.backend, 2, POSITIONS), on_pass=lambda *report: told.append(report[:3]))
    staying = Asked([EOS, 3], {"max_new_tokens": 6, "min_new_tokens": 6})
    request, job = job_of(staying, fake)
    loop.submit(job)
    while loop.advance() is not Action.READ:
        pass
    leaving = Asked(LONG[:200], {"max_new_tokens": 1})
    _, other = job_of(leaving, fake)
    loop.submit(other)
    while loop.advance() is not Action.READ_AND_STEP:
        pass
    leaving.cancel.set()
    told.clear()
    while loop.advance() is not Action.WAIT:
        pass
    assert told[0] == (Action.READ_AND_STEP, 0, 1)
    assert other.is_finished
    assert [state.token_ids for state in request.states] == staying.alone()


def test_a_search_that_fails_ends_itself_alone() -> None:
    def failing() -> Iterator[None]:
        yield
        raise RuntimeError("no")

    fake = model()
    loop = Loop(Rows(fake.backend, 1, POSITIONS))
    search = SearchJob(failing())
    other = job_of(Asked([EOS, 3], {"max_new_tokens": 5}), fake)[1]
    loop.submit(search)
    loop.submit(other)
    while loop.advance() is not Action.WAIT:
        pass
    assert str(search.error) == "no"
    assert other.is_finished
    assert other.error is None


def test_more_samples_than_rows_are_refused() -> None:
    fake = model()
    settings_of_three = {"do_sample": True, "num_return_sequences": 3}
    with pytest.raises(ValueError, match="3 rows are needed, there are 2"):
        Loop(Rows(fake.backend, 2, POSITIONS)).submit(job_of(Asked([EOS, 3], settings_of_three), fake)[1])


def test_times_are_of_the_request_alone() -> None:
    request, job = job_of(Asked([EOS, 3], {"max_new_tokens": 5, "min_new_tokens": 5}), fake := model())
    loop = Loop(Rows(fake.backend, 1, POSITIONS))
    loop.submit(job)
    while loop.advance() is not Action.WAIT:
        pass
    assert request.steps == 4
    assert request.prefill > 0
    assert request.decode > 0


def test_the_time_in_the_queue_is_that_before_the_prompt_is_read() -> None:
    fake = model()
    loop = Loop(Rows(fake.backend, 1, POSITIONS))
    jobs = [job_of(Asked([EOS, 3], {"max_new_tokens": 5}), fake) for _ in range(3)]
    for _, job in jobs:
        loop.submit(job)
    while loop.advance() is not Action.WAIT:
        pass
    first, second, third = (request for request, _ in jobs)
    assert first.queue > 0
    assert second.queue > first.prefill + first.decode
    assert third.queue > second.prefill + second.decode


def test_who_is_taken_back_while_he_waits_has_waited_all_the_time() -> None:
    fake, asked = model(), Asked([EOS, 3], {"max_new_tokens": 5})
    loop = Loop(Rows(fake.backend, 1, POSITIONS))
    request, job = job_of(asked, fake)
    loop.submit(job)
    asked.cancel.set()
    loop.advance()
    assert request.queue > 0
    assert request.prefill == 0
