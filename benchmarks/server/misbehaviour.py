"""Requests of an endurance run: good ones, and what clients do wrong, each held to the answer that it asks for."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.server.loading.http_exchange import Exchange, request_bytes
from benchmarks.server.loading.load import RequestError

COMPLETIONS = "/v1/completions"
_GOOD = 200
_BUSY = 429
_LONGEST_WAIT = 0.05
_PAUSE = 0.002

_TEXTS = (
    "Aspirin inhibits",
    "The patient was treated with",
    "Cisplatin-induced nephrotoxicity",
    "Forty patients with hypertension exercised for twelve weeks.",
    "Insulin lowers blood glucose, and",
    "Thyroid function recovered after amiodarone was withdrawn. The",
)


@dataclass(frozen=True)
class Answer:
    """What a whole answer holds.

    Attributes:
        text: of its only choice.
        finish_reason: why it ended.
        new_tokens: how many were written.
    """

    text: str
    finish_reason: str
    new_tokens: int


@dataclass(frozen=True)
class Outcome:
    """What became of a request.

    Attributes:
        status: of its answer; None where it left before, or was given none.
        wrong: in one line what should not have been; None where all is as it should be.
        is_compared: True where a whole answer was compared with that of the same request alone.
    """

    status: int | None = None
    wrong: str | None = None
    is_compared: bool = False


@dataclass(frozen=True)
class Target:
    """The server that is asked.

    Attributes:
        port: on this machine.
        key: that it lets in.
        may_be_busy: tells if a request may be refused now for want of room.
    """

    port: int
    key: str
    may_be_busy: Callable[[], bool] = lambda: False

    def exchange(
        self, body: object, *, method: str = "POST", path: str = COMPLETIONS, key: str | None = None
    ) -> Exchange:
        """Returns a request with the key, or another one; an empty one for none."""
        used = self.key if key is None else key
        return Exchange(self.port, method, path, body, {"Authorization": f"Bearer {used}"} if used else {})


def good_bodies(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Returns bodies of requests for short texts, greedy or drawn with a seed; equal seeds give equal ones."""
    numbers = random.Random(seed)  # noqa: S311 -- not for secrets
    bodies = []
    for number in range(count):
        body: dict[str, Any] = {
            "prompt": numbers.choice(_TEXTS),
            "max_tokens": numbers.randint(1, 16),
            "temperature": 0,
        }
        if numbers.random() < 0.5:  # noqa: PLR2004 -- every other one
            body |= {"temperature": 0.8, "top_p": 0.9, "seed": number}
        if numbers.random() < 0.3:  # noqa: PLR2004 -- a few
            body["ignore_eos"] = True
        bodies.append(body)
    return bodies


BAD_BODIES: tuple[tuple[str, object, int], ...] = (
    ("no JSON", b'{"prompt": ', 400),
    ("no object", [1, 2], 400),
    ("no prompt", {"max_tokens": 3}, 400),
    ("prompt of another type", {"prompt": 3.5}, 400),
    ("empty list of prompts", {"prompt": []}, 400),
    ("token id out of range", {"prompt": [2, 10**9]}, 400),
    ("negative number of tokens", {"prompt": "a", "max_tokens": -1}, 400),
    ("infinite temperature", b'{"prompt": "a", "temperature": 1e999}', 400),
    ("unknown field", {"prompt": "a", "no_such_field": 1}, 400),
    ("too many log-probabilities", {"prompt": "a", "logprobs": 10_000}, 400),
    ("longer than the model", {"prompt": [2] * 5000, "max_tokens": 1}, 400),
    ("too many bytes", b" " * 1_100_000, 413),
)
"""Bodies with a name and the status that they ask for."""


async def ask_whole(target: Target, body: Mapping[str, object], *, stream: bool) -> tuple[int, Answer | None]:
    """Sends a request and waits for all of its answer.

    Returns:
        The status, and the answer where it is 200.

    Raises:
        RequestError: the answer did not come whole, or is another than OpenAI's.
    """
    extra: dict[str, object] = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    async with target.exchange({**body, **extra}) as exchange:
        if exchange.status != _GOOD:
            await exchange.json()
            return exchange.status, None
        try:
            events = [event async for event in exchange.events()] if stream else [await exchange.json()]
            if any("error" in event for event in events):
                raise RequestError(f"error in the stream: {events[-1]['error']}")
            choices = [choice for event in events for choice in event["choices"]]
            usage = next(event["usage"] for event in events if event.get("usage"))
            text = "".join(choice["text"] for choice in choices)
            return _GOOD, Answer(text, choices[-1]["finish_reason"], usage["completion_tokens"])
        except (KeyError, IndexError, TypeError, StopIteration) as error:
            raise RequestError("another form of answer") from error


async def whole(target: Target, body: Mapping[str, object], alone: Answer, *, stream: bool) -> Outcome:
    """Asks for a text, which is compared with that of the same request alone."""
    may_be_busy = target.may_be_busy()
    status, answer = await ask_whole(target, body, stream=stream)
    if answer is None:
        is_asked_for = status == _BUSY and (may_be_busy or target.may_be_busy())
        return Outcome(status, None if is_asked_for else f"status {status} for a good request")
    if answer != alone:
        return Outcome(status, f"another answer than alone: {answer} instead of {alone}", is_compared=True)
    return Outcome(status, is_compared=True)


async def leave_before(target: Target, body: Mapping[str, object], numbers: random.Random) -> Outcome:
    """Sends a request, or a part of it, and leaves before the answer."""
    headers = {"Authorization": f"Bearer {target.key}"}
    message = request_bytes(target.port, "POST", COMPLETIONS, {**body, "max_tokens": 200, "ignore_eos": True}, headers)
    if numbers.random() < 0.3:  # noqa: PLR2004 -- a few
        message = message[: numbers.randrange(1, len(message))]
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", target.port)
    except OSError as error:
        raise RequestError("connection refused") from error
    writer.write(message)
    await asyncio.sleep(numbers.uniform(0, _LONGEST_WAIT))
    if numbers.random() < 0.5:  # noqa: PLR2004 -- every other one
        writer.transport.abort()
    writer.close()
    return Outcome()


async def leave_during(target: Target, body: Mapping[str, object], numbers: random.Random) -> Outcome:
    """Leaves a stream after a few events."""
    may_be_busy = target.may_be_busy()
    long = {**body, "max_tokens": 200, "ignore_eos": True, "stream": True}
    async with target.exchange(long) as exchange:
        if exchange.status != _GOOD:
            is_asked_for = exchange.status == _BUSY and (may_be_busy or target.may_be_busy())
            return Outcome(exchange.status, None if is_asked_for else f"status {exchange.status} for a good stream")
        left = numbers.randint(1, 20)
        async for event in exchange.events():
            left -= 1
            if "error" in event:
                return Outcome(_GOOD, f"error in the stream: {event['error']}")
            if not left:
                break
    return Outcome(_GOOD)


async def leave_after(target: Target, body: Mapping[str, object], alone: Answer) -> Outcome:
    """Reads a stream to its end and drops the connection at once."""
    async with target.exchange({**body, "stream": True}) as exchange:
        if exchange.status != _GOOD:
            is_asked_for = exchange.status == _BUSY and target.may_be_busy()
            return Outcome(exchange.status, None if is_asked_for else f"status {exchange.status} for a good stream")
        text = "".join([choice["text"] async for event in exchange.events() for choice in event.get("choices", ())])
    wrong = None if text == alone.text else f"another answer than alone: {text!r} instead of {alone.text!r}"
    return Outcome(_GOOD, wrong, is_compared=True)


async def bad_body(target: Target, numbers: random.Random) -> Outcome:
    """Sends a body that asks for an error."""
    name, body, expected = numbers.choice(BAD_BODIES)
    may_be_busy = target.may_be_busy()
    outcome = await _refused(target.exchange(body), expected, name)
    # Room is looked for before a prompt is.
    if outcome.status == _BUSY and (may_be_busy or target.may_be_busy()):
        return Outcome(_BUSY)
    return outcome


async def wrong_key(target: Target, numbers: random.Random) -> Outcome:
    """Sends no key, or another one."""
    key = numbers.choice(["", target.key[:-1], f"{target.key}x", "nonsense"])
    # An empty key is none.
    exchange = target.exchange({"prompt": "a", "max_tokens": 1}, key=key)
    return await _refused(exchange, 401, "wrong key")


async def wrong_place(target: Target, numbers: random.Random) -> Outcome:
    """Asks for what the server does not have, or in a way that it does not know."""
    method, path, expected = numbers.choice(
        [("GET", "/no/such/place", 404), ("GET", COMPLETIONS, 405), ("POST", "/v1/chat/completions", 404)]
    )
    return await _refused(target.exchange({}, method=method, path=path), expected, f"{method} {path}")


async def _refused(exchange: Exchange, expected: int, name: str) -> Outcome:
    async with exchange:
        body = await exchange.json()
        status = exchange.status
    if status != expected:
        return Outcome(status, f"{name}: status {status} instead of {expected}")
    if not isinstance(body, dict) or "message" not in body.get("error", {}):
        return Outcome(status, f"{name}: an error in another form: {json.dumps(body)[:100]}")
    return Outcome(status)


async def burst(target: Target, asked: list[tuple[Mapping[str, object], Answer]]) -> list[Outcome]:
    """Sends many requests at once, of which those that there is no room for are refused."""

    async def one(body: Mapping[str, object], alone: Answer) -> Outcome:
        try:
            return await whole(target, body, alone, stream=False)
        except RequestError as error:
            return Outcome(None, str(error))

    waiting: list[Awaitable[Outcome]] = []
    for body, alone in asked:
        waiting.append(asyncio.ensure_future(one(body, alone)))
        if len(waiting) % 16 == 0:
            await asyncio.sleep(_PAUSE)
    return list(await asyncio.gather(*waiting))
