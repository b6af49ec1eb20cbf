import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx.runtime.backends.cpu.backend import CpuBackend
from biogpt_onnx.runtime.concurrency.pass_thread import PassThread
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.decoding.search import run_search
from biogpt_onnx.runtime.decoding.selection.sampler import generators
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.errors import BioGptError, ConfigError
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
