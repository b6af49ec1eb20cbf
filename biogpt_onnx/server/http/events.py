"""Answers that come piece by piece, as server-sent events."""

import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

DONE = b"data: [DONE]\n\n"
"""The event that ends a stream, as OpenAI's clients expect."""

EVENT_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    # nginx would collect the events otherwise.
    "X-Accel-Buffering": "no",
}
"""Headers of a stream of events."""


@dataclass(frozen=True)
class EventStream:
    """An answer that comes as server-sent events.

    Attributes:
        events: the events' objects; the first is awaited before the answer begins, so that errors until then are
            ordinary answers. The event that ends the stream is added behind them.
    """

    events: AsyncGenerator[Mapping[str, object], None]


def event(content: Mapping[str, object]) -> bytes:
    """Returns an object as a server-sent event."""
    return b"data: " + json_bytes(content) + b"\n\n"


def json_bytes(content: object) -> bytes:
    """Returns an object as compact JSON, which holds no NaN or infinity."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
