import gc
import itertools
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx.runtime.backends.cpu.backend import CpuBackend
from biogpt_onnx.runtime.concurrency.pass_report import PassReport
from biogpt_onnx.runtime.concurrency.pass_thread import PassThread
from biogpt_onnx.runtime.decoding.batching import loop as loops
from biogpt_onnx.runtime.decoding.batching.scheduling import Action, View, next_action
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.decoding.search import run_search
from biogpt_onnx.runtime.decoding.selection.sampler import generators
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.errors import BioGptError, CancelledError, ConfigError, MemoryLimitError, ModelClosedError
from makers.models import FakeModel

EOS, VOCAB, POSITIONS = 2, 12, 400

SETTINGS: list[dict[str, Any]] = [
    {"max_new_tokens": 9},
    {"max_new_tokens": 7, "do_sample": True, "seed": 3, "num_return_sequences": 2},
    {"max_new_tokens": 5, "num_beams": 3},
    {"max_new_tokens": 9, "prompt_lookup_num_tokens": 3},
    {"max_new_tokens": 9, "repetition_penalty": 1.4},
]


def random_logits(past: list[int]) -> npt.NDArray[np.float32]:
    return np.random.default_rng(abs(hash(tuple(past)))).normal(size=VOCAB).astype(np.float32)


def backend_of() -> CpuBackend[Any]:
    backend: CpuBackend[Any] = FakeModel(random_logits, VOCAB, POSITIONS).backend
    return backend


def request_of(prompt: list[int], config: GenerationConfig) -> Request:
    samples = generators(config.seed if isinstance(config.seed, int) else 0, config.num_return_sequences)
    sources = samples if config.do_sample else [None]
    states = [SequenceState(tuple(prompt), config.most_new_tokens(0), eos_token_id=EOS, random=one) for one in sources]
    return Request(states)


def finished(search: Iterator[None], request: Request) -> list[list[int]]:
    for _ in search:
        pass
    return [state.token_ids for state in request.states]


@pytest.fixture
def thread() -> Iterator[PassThread]:
    passes = PassThread(backend_of(), max_rows=3)
    yield passes
    passes.close()


def test_callers_in_many_threads_get_what_they_get_alone(thread: PassThread) -> None:
    prompts = [[EOS, *range(3, 3 + number % 9)] for number in range(20)] + [[EOS] + [4, 5, 6] * 60] * 5
    asked = [(prompt, GenerationConfig(**SETTINGS[index % len(SETTINGS)])) for index, prompt in enumerate(prompts)]

    def ask(one: tuple[list[int], GenerationConfig]) -> list[list[int]]:
        request = request_of(*one)
        return finished(thread.search([request], one[1], Limits()), request)

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(ask, asked))
    for one, got in zip(asked, together, strict=True):
        request = request_of(*one)
        assert got == finished(run_search(backend_of(), [request], one[1], Limits()), request)


def test_other_work_is_done_between_the_passes(thread: PassThread) -> None:
    config = GenerationConfig(max_new_tokens=200, min_new_tokens=200)
    request = request_of([EOS, 3], config)
    search = thread.search([request], config, Limits())
    next(search)
    assert thread.call(lambda: threading.current_thread().name) == "biogpt-passes"
    assert request.states[0].finish_reason is None
    finished(search, request)


def test_an_error_of_other_work_is_its_callers(thread: PassThread) -> None:
    def fail() -> None:
        raise ConfigError("no such choice")

    with pytest.raises(ConfigError, match="no such choice"):
        thread.call(fail)
    assert thread.call(lambda: 5) == 5


def test_an_error_of_a_row_is_its_callers(thread: PassThread) -> None:
    config = GenerationConfig(suppress_tokens=list(range(VOCAB)))
    with pytest.raises(ConfigError, match="exclude them all"):
        finished(thread.search([request := request_of([EOS, 3], config)], config, Limits()), request)
    good = request_of([EOS, 3], GenerationConfig())
    assert finished(thread.search([good], GenerationConfig(), Limits()), good)


def test_an_error_of_the_model_ends_those_whom_it_concerns_and_the_thread_goes_on() -> None:
    def answer(past: list[int]) -> npt.NDArray[np.float32]:
        if past[-1] == 9:
            raise MemoryError("no room")
        logits = np.zeros(VOCAB, dtype=np.float32)
        logits[4] = 1
        return logits

    thread = PassThread(FakeModel(answer, VOCAB, POSITIONS).backend, max_rows=2)
    config = GenerationConfig(max_new_tokens=4)
    with pytest.raises(MemoryError):
        finished(thread.search([request := request_of([EOS, 9], config)], config, Limits()), request)
    good = request_of([EOS, 3], config)
    assert finished(thread.search([good], config, Limits()), good) == [[4, 4, 4, 4]]
    thread.close()


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_search_that_is_left_frees_its_rows(thread: PassThread, settings: dict[str, Any]) -> None:
    config = GenerationConfig(**settings | {"max_new_tokens": 300, "min_new_tokens": 300})
    request = request_of([EOS, 3], config)
    search = thread.search([request], config, Limits())
    next(search)
    search.close()  # type: ignore[attr-defined]  # a generator
    while thread.num_running:
        time.sleep(0.001)
    assert request.states[0].num_new_tokens < 300


def test_a_search_that_waits_can_be_cancelled(thread: PassThread) -> None:
    config = GenerationConfig(max_new_tokens=300, min_new_tokens=300, do_sample=True, num_return_sequences=3)
    long = thread.search([request_of([EOS, 3], config)], config, Limits())
    next(long)
    limits, waiting = Limits(), request_of([EOS, 4], GenerationConfig())
    search = thread.search([waiting], GenerationConfig(), limits)
    limits.cancel()
    assert finished(search, waiting) == [[]]
    assert waiting.states[0].finish_reason == "cancelled"
    long.close()  # type: ignore[attr-defined]  # a generator


def test_more_samples_than_rows_are_an_error(thread: PassThread) -> None:
    config = GenerationConfig(do_sample=True, num_return_sequences=4)
    with pytest.raises(ConfigError, match="num_return_sequences is 4, but at most 3"):
        next(thread.search([request_of([EOS, 3], config)], config, Limits()))


def test_closing_lets_what_runs_end_and_refuses_what_comes_later() -> None:
    thread = PassThread(backend_of(), max_rows=3)
    config = GenerationConfig(max_new_tokens=50, min_new_tokens=50)
    request = request_of([EOS, 3], config)
    search = thread.search([request], config, Limits())
    next(search)
    thread.close()
    thread.close()
    assert len(finished(search, request)[0]) == 50
    with pytest.raises(BioGptError, match="was closed"):
        thread.call(lambda: 1)


LONG: dict[str, Any] = {"max_new_tokens": 300, "min_new_tokens": 300}


@pytest.mark.parametrize("settings", [*SETTINGS, {"prompt_lookup_num_tokens": 3, "suppress_tokens": [4]}])
def test_closing_may_cancel_what_runs(settings: dict[str, Any]) -> None:
    thread = PassThread(backend_of(), max_rows=3)
    config = GenerationConfig(**settings | LONG)
    request = request_of([EOS, 3], config)
    search = thread.search([request], config, Limits())
    next(search)
    thread.close(cancel=True)
    tokens = finished(search, request)
    assert {state.finish_reason for state in request.states} == {"cancelled"}
    assert all(len(each) < 300 for each in tokens)
    assert any(tokens)


@pytest.mark.parametrize("settings", SETTINGS)
def test_closing_may_cancel_what_waits(settings: dict[str, Any]) -> None:
    thread = PassThread(backend_of(), max_rows=3)
    config = GenerationConfig(**LONG, do_sample=True, num_return_sequences=3)
    running = request_of([EOS, 3], config)
    busy = thread.search([running], config, Limits())
    next(busy)
    beams = GenerationConfig(**LONG, num_beams=2)
    next(searching := thread.search([request_of([EOS, 3], beams)], beams, Limits()))
    asked = GenerationConfig(**settings)
    waiting = request_of([EOS, 4], asked)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(finished, thread.search([waiting], asked, Limits()), waiting)
        while not thread.num_waiting:
            time.sleep(0.001)
        thread.close(cancel=True)
        assert not any(answer.result(timeout=30))
    assert {state.finish_reason for state in waiting.states} == {"cancelled"}
    assert waiting.queue > 0
    for search in (busy, searching):
        search.close()  # type: ignore[attr-defined]  # a generator


def test_other_work_that_is_cancelled_has_no_result() -> None:
    backend = backend_of()
    thread, began = PassThread(backend, max_rows=3), threading.Event()

    def read() -> None:
        began.set()
        while True:
            list(backend.score_tokens([EOS], None, [5] * 300))

    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(thread.call, read)
        began.wait(30)
        waiting = pool.submit(thread.call, lambda: 5)
        while not thread.num_waiting:
            time.sleep(0.001)
        thread.close(cancel=True)
        for call in (running, waiting):
            with pytest.raises(CancelledError, match="the model was closed"):
                call.result(timeout=30)
    with pytest.raises(ModelClosedError):
        thread.call(lambda: 5)


def test_other_work_that_its_caller_leaves_goes_on_no_longer_than_a_piece(
    thread: PassThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, began, ended = backend_of(), threading.Event(), threading.Event()

    def read() -> None:
        began.set()
        try:
            while True:
                list(backend.score_tokens([EOS], None, [5] * 300))
        finally:
            ended.set()

    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            del timeout
            began.wait(30)
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("biogpt_onnx.runtime.concurrency.pass_thread.threading.Event", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            thread.call(read)
    assert ended.wait(30)
    assert thread.call(lambda: 5) == 5


def test_long_work_lets_others_go_on(thread: PassThread) -> None:
    backend, config = backend_of(), GenerationConfig(max_new_tokens=30, min_new_tokens=30)
    request, counts = request_of([EOS, 3], config), list[int]()

    def read() -> None:
        counts.append(request.states[0].num_new_tokens)
        list(backend.score_tokens([EOS], None, [5] * 300))
        counts.append(request.states[0].num_new_tokens)

    search = thread.search([request], config, Limits())
    next(search)
    thread.call(read)
    assert counts[1] - counts[0] >= 2 or counts[1] == 30
    finished(search, request)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize(
    ("error", "raises"),
    [
        (AssertionError("a bug of the loop"), partial(pytest.raises, AssertionError, match="a bug of the loop")),
        (MemoryError(), partial(pytest.raises, MemoryLimitError, match="no memory for a pass")),
    ],
)
def test_an_error_of_the_loop_ends_all_who_wait_and_those_who_come_later_begin_anew(
    settings: dict[str, Any],
    error: Exception,
    raises: Callable[[], AbstractContextManager[object]],
    monkeypatch: pytest.MonkeyPatch,
    thread: PassThread,
) -> None:
    config, long = GenerationConfig(**settings), GenerationConfig(**settings | LONG)
    alone = request_of([EOS, 3], config)
    expected = finished(run_search(backend_of(), [alone], config, Limits()), alone)
    searches = [thread.search([request_of([EOS, 3], long)], long, Limits()) for _ in range(4)]
    actions, have_all_come = itertools.count(), threading.Event()

    def fail(view: View) -> Action:
        if next(actions) < 4:
            return next_action(view)
        have_all_come.wait(30)
        raise error

    def fails(search: Iterator[None]) -> None:
        with raises():
            for _ in search:
                pass

    monkeypatch.setattr(loops, "next_action", fail)
    next(searches[0])
    assert thread._loop is not None
    loop = weakref.ref(thread._loop)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(fails, search) for search in searches]
        while len(thread._calls) < len(searches):
            time.sleep(0.001)
        have_all_come.set()
        for one in waiting:
            one.result(timeout=30)
    # And so are those who come while it fails.
    with raises():
        thread.call(lambda: 5)
    monkeypatch.undo()
    assert (thread.num_waiting, thread.num_running, thread.cache_usage) == (0, 0, 0.0)
    gc.collect()
    assert loop() is None, "the cache of those who failed is held"
    for _ in range(2):
        request = request_of([EOS, 3], config)
        assert finished(thread.search([request], config, Limits()), request) == expected
        assert thread.call(lambda: 5) == 5
    thread.close()
    thread.close(cancel=True)


def test_who_has_got_everything_hears_of_no_error_of_the_loop(
    thread: PassThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = GenerationConfig(**SETTINGS[0])
    request = request_of([EOS, 3], config)
    search = thread.search([request], config, Limits())
    next(search)
    while not request.has_ended:
        time.sleep(0.001)
    with monkeypatch.context() as patched:
        patched.setattr(loops, "next_action", None)
        with pytest.raises(TypeError):
            thread.call(lambda: 5)
    finished(search, request)


def test_what_is_no_error_ends_the_thread_and_not_its_callers(thread: PassThread) -> None:
    config = GenerationConfig(**SETTINGS[0])
    for _ in range(2):
        with pytest.raises(RuntimeError, match="was ended by SystemExit: 3"):
            thread.call(lambda: sys.exit(3))
    with pytest.raises(RuntimeError, match="was ended by SystemExit: 3"):
        next(thread.search([request_of([EOS, 3], config)], config, Limits()))


def test_nobody_waits_for_a_thread_that_does_not_run(thread: PassThread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("biogpt_onnx.runtime.concurrency.pass_thread._SECONDS_BETWEEN_CHECKS", 0.01)
    # So it is in a process that was forked, which has none of the threads.
    monkeypatch.setattr(thread, "_thread", threading.Thread())
    monkeypatch.setattr(thread, "_submit", lambda *_: None)
    with pytest.raises(RuntimeError, match=r"does not run.*in the process that uses it"):
        thread.call(lambda: 5)
    monkeypatch.undo()


def test_a_function_that_the_thread_calls_cannot_wait_for_the_thread(thread: PassThread) -> None:
    with pytest.raises(ConfigError, match="would wait for itself"):
        thread.call(lambda: thread.call(lambda: 5))
    assert thread.call(lambda: 5) == 5


def test_each_pass_is_reported_in_the_thread_that_computes_it() -> None:
    fake, reports, names = FakeModel(random_logits, VOCAB, POSITIONS), list[PassReport](), set[str]()

    def note(report: PassReport) -> None:
        reports.append(report)
        names.add(threading.current_thread().name)

    thread = PassThread(fake.backend, max_rows=3, on_pass=note)
    for settings in SETTINGS:
        config = GenerationConfig(**settings)
        finished(thread.search([request := request_of([EOS, *range(3, 9)], config)], config, Limits()), request)
    thread.call(lambda: list(fake.backend.score_tokens([EOS], None, [5] * 200)))
    thread.close()
    assert names == {"biogpt-passes"}
    assert len(reports) == len(fake.shapes)
    rows = [
        number
        for number, settings in enumerate(SETTINGS)
        if not settings.keys() & {"num_beams", "prompt_lookup_num_tokens"}
    ]
    assert sum(report.read_tokens for report in reports) == 7 * len(rows)
    assert {report.kind for report in reports} == {"read", "step", "search"}
    assert all(report.seconds >= 0 for report in reports)
    assert {(report.read_tokens, report.new_tokens) for report in reports if report.kind == "search"} == {(0, 0)}


def test_an_error_of_who_watches_ends_no_request_and_is_shown_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = list[threading.ExceptHookArgs]()
    monkeypatch.setattr(threading, "excepthook", shown.append)

    def fail(_: PassReport) -> None:
        raise ValueError("no such metric")

    thread, config = PassThread(backend_of(), max_rows=3, on_pass=fail), GenerationConfig(**LONG)
    assert len(finished(thread.search([request := request_of([EOS, 3], config)], config, Limits()), request)[0]) == 300
    thread.close()
    ((kind, error, _, where),) = shown
    assert kind is ValueError
    assert str(error) == "no such metric"
    assert where is not None
    assert where.name == "biogpt-passes"


def test_the_usage_of_the_cache_is_that_of_its_rows() -> None:
    usages = list[float]()
    passes = PassThread(backend_of(), max_rows=2, on_pass=lambda _: usages.append(passes.cache_usage))
    assert passes.cache_usage == 0
    config = GenerationConfig(max_new_tokens=100, min_new_tokens=100)
    finished(passes.search([request := request_of([EOS] + [5] * 299, config)], config, Limits()), request)
    passes.close()
    assert passes.cache_usage == 0
    # Of twice 400 positions: the prompt in two pieces, and each new token but the last, with which the row leaves.
    assert usages == [number / 800 for number in [256, *range(300, 399), 0]]


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_time_in_the_queue_is_known_of_every_request(thread: PassThread, settings: dict[str, Any]) -> None:
    config = GenerationConfig(**settings)
    finished(thread.search([request := request_of([EOS, 3], config)], config, Limits()), request)
    assert request.queue > 0
    assert request.prefill > 0
