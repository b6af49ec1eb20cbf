"""Generations for asyncio: results as without it, other tasks that go on, cancellation, and no thread left."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx import AsyncBatchStream, AsyncTextStream, BioGPT, ConfigError, PromptError

PROMPTS = ["The patient was treated with", "Aspirin"]
LONG: dict[str, Any] = {"max_new_tokens": 900, "eos_token_id": None}


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("biogpt-onnx")]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("biogpt-onnx"):
            thread.join(30)
    assert threads() == []


class Step:
    """Says when the model has taken a number of steps, and counts all of them."""

    def __init__(self, number: int = 3) -> None:
        self.reached = threading.Event()
        self.count = 0
        self._number = number

    def __call__(self, _ids: npt.NDArray[np.int64], _text: str) -> bool:
        self.count += 1
        if self.count >= self._number:
            self.reached.set()
        return False

    async def wait(self) -> None:
        await asyncio.to_thread(self.reached.wait)


def test_an_answer_is_that_of_generate(mini: BioGPT) -> None:
    async def ask() -> tuple[Any, Any]:
        one, several = await asyncio.gather(
            mini.agenerate(PROMPTS[0], max_new_tokens=8), mini.agenerate(PROMPTS, num_beams=2, max_new_tokens=8)
        )
        return one, several

    one, several = asyncio.run(ask())
    assert one.text == mini.generate(PROMPTS[0], max_new_tokens=8).text
    expected = mini.generate(PROMPTS, num_beams=2, max_new_tokens=8)
    assert [answer.text for answer in several] == [answer.text for answer in expected]


def test_a_stream_is_that_of_stream(mini: BioGPT) -> None:
    async def read() -> tuple[AsyncTextStream, list[str], AsyncBatchStream, list[tuple[int, str]]]:
        one = mini.astream(PROMPTS[0], max_new_tokens=8)
        pieces = [piece async for piece in one]
        several = mini.astream(PROMPTS, max_new_tokens=8)
        return one, pieces, several, [pair async for pair in several]

    one, pieces, several, pairs = asyncio.run(read())
    assert pieces == list(mini.stream(PROMPTS[0], max_new_tokens=8))
    assert pairs == list(mini.stream(PROMPTS, max_new_tokens=8))
    assert one.generation is not None
    assert one.generation.text == "".join(pieces)
    assert [generation and generation.text for generation in several.generations] == [
        answer.text for answer in mini.generate(PROMPTS, max_new_tokens=8)
    ]


def test_other_tasks_go_on_while_the_model_computes(mini: BioGPT) -> None:
    step = Step(3)

    async def ask() -> int:
        task = asyncio.create_task(mini.agenerate(PROMPTS[0], stopping_criteria=step, max_new_tokens=30))
        await step.wait()
        seen = step.count
        await task
        return seen

    assert 3 <= asyncio.run(ask()) <= 30


def test_cancelling_a_task_ends_the_decoding_at_the_next_step(mini: BioGPT) -> None:
    step = Step(3)

    async def ask() -> int:
        task = asyncio.create_task(mini.agenerate(PROMPTS[0], stopping_criteria=step, **LONG))
        await step.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        seen = step.count
        await asyncio.sleep(0.05)
        assert step.count == seen, "it goes on after the task has ended"
        return seen

    assert asyncio.run(ask()) < LONG["max_new_tokens"]


def test_a_timeout_ends_the_decoding(mini: BioGPT) -> None:
    step = Step()

    async def ask() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(mini.agenerate(PROMPTS[0], stopping_criteria=step, **LONG), 0.02)

    asyncio.run(ask())
    assert step.count < LONG["max_new_tokens"]


def test_an_event_ends_an_answer_with_what_there_is(mini: BioGPT) -> None:
    step = Step(3)
    answer = None

    async def ask() -> None:
        nonlocal answer
        answer = await mini.agenerate(PROMPTS[0], cancel=step.reached, stopping_criteria=step, **LONG)

    asyncio.run(ask())
    assert answer is not None
    assert answer.finish_reason == "cancelled"
    assert len(answer.token_ids) < LONG["max_new_tokens"]


def test_cancelling_the_reader_of_a_stream_ends_it_and_keeps_the_text(mini: BioGPT) -> None:
    step = Step(5)

    async def read() -> AsyncTextStream:
        stream: AsyncTextStream = mini.astream(PROMPTS[0], stopping_criteria=step, **LONG)

        async def all_pieces() -> None:
            async for _ in stream:
                pass

        task = asyncio.create_task(all_pieces())
        await step.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [piece async for piece in stream] == []
        return stream

    stream = asyncio.run(read())
    assert stream.generation is not None
    assert stream.generation.finish_reason == "cancelled"
    assert 5 <= len(stream.generation.token_ids) < LONG["max_new_tokens"]


def test_nothing_is_computed_while_nobody_reads(mini: BioGPT) -> None:
    step = Step()

    async def read() -> tuple[int, int]:
        async with mini.astream(PROMPTS[0], stopping_criteria=step, **LONG) as stream:
            await anext(stream)
            before = step.count
            await asyncio.sleep(0.05)
            after = step.count
        return before, after

    before, after = asyncio.run(read())
    assert before == after


def test_leaving_the_block_ends_the_stream(mini: BioGPT) -> None:
    async def read() -> AsyncBatchStream:
        async with mini.astream(PROMPTS, **LONG) as stream:
            for _ in range(4):
                await anext(stream)
        await stream.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        return stream

    stream = asyncio.run(read())
    assert [generation and generation.finish_reason for generation in stream.generations] == ["cancelled"] * 2


def test_a_stream_that_is_forgotten_leaves_no_thread(mini: BioGPT) -> None:
    async def read() -> None:
        async for _ in mini.astream(PROMPTS[0], **LONG):
            break

    asyncio.run(read())


def odd(_ids: npt.NDArray[np.int64], _text: str) -> Any:
    return None


def test_a_stream_that_failed_raises_each_time_it_is_touched(mini: BioGPT) -> None:
    async def read() -> None:
        stream = mini.astream(PROMPTS[0], stopping_criteria=odd)
        for _ in range(3):
            with pytest.raises(ConfigError, match="stopping_criteria"):
                await anext(stream)
        with pytest.raises(ConfigError, match="stopping_criteria"):
            _ = stream.generation
        await stream.aclose()

    asyncio.run(read())


def test_bad_input_is_an_error_of_the_call(mini: BioGPT) -> None:
    with pytest.raises(ConfigError, match="num_beams"):
        mini.astream(PROMPTS[0], num_beams=0)
    with pytest.raises(PromptError, match="of type"):
        mini.astream(3)  # type: ignore[call-overload]

    async def ask() -> None:
        with pytest.raises(ConfigError, match="num_beams"):
            await mini.agenerate(PROMPTS[0], num_beams=0)
        with pytest.raises(PromptError, match="of type"):
            await mini.agenerate(3)  # type: ignore[call-overload]

    asyncio.run(ask())


def test_a_loop_that_ends_early_ends_what_it_started(mini: BioGPT) -> None:
    step = Step(2)

    async def abandon() -> None:
        task = asyncio.create_task(mini.agenerate(PROMPTS[0], stopping_criteria=step, **LONG))
        await step.wait()
        del task

    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(abandon())
    assert step.count < LONG["max_new_tokens"]
