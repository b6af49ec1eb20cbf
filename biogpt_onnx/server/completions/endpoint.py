"""The address /v1/completions."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import ExitStack

from biogpt_onnx.runtime.decoding.state import FinishReason
from biogpt_onnx.runtime.results import Generation, Score, TextPiece, TokenLogprob, Usage
from biogpt_onnx.server.completions.asked import Asked, check_room, read_asked
from biogpt_onnx.server.completions.generating import Prepared, generate, prepare, score_prompts
from biogpt_onnx.server.completions.logprobs import echoed_logprobs, empty_logprobs, joined, openai_logprobs
from biogpt_onnx.server.http.call import Call
from biogpt_onnx.server.http.endpoint import Answer
from biogpt_onnx.server.http.events import EventStream

_FINISH_REASONS: Mapping[str, str] = {"eos": "stop", "stop": "stop", "length": "length", "time": "time"}
Logprobs = dict[str, list[object]]
Deliver = Callable[[TextPiece], None]


async def complete(call: Call) -> Answer:
    """Continues prompts."""
    asked = read_asked(await call.fields(), call.service)
    call.outcome.num_sequences = asked.num_sequences
    if asked.is_streamed:
        return EventStream(_stream(call, asked))
    with call.admitted(asked.num_sequences):
        completion = await _begin(call, asked)
        await call.compute(lambda: completion.run(), keeps_parts=True)  # noqa: PLW0108 -- bound when it is called
    return completion.whole()


async def _stream(call: Call, asked: Asked) -> AsyncGenerator[Mapping[str, object], None]:
    loop = asyncio.get_running_loop()
    # Bounded by the most tokens that a request may ask for.
    queue: asyncio.Queue[TextPiece | None] = asyncio.Queue()

    def deliver(piece: TextPiece | None) -> None:
        loop.call_soon_threadsafe(queue.put_nowait, piece)

    with ExitStack() as stack:
        stack.enter_context(call.admitted(asked.num_sequences))
        completion = await _begin(call, asked)

        def run() -> None:
            try:
                completion.run(deliver)
            finally:
                deliver(None)

        work = asyncio.create_task(call.compute(run, keeps_parts=True))
        try:
            while (piece := await queue.get()) is not None:
                call.check_client()
                yield completion.chunk(piece)
            await work
            for chunk in completion.last_chunks():
                yield chunk
        finally:
            if not work.done():
                call.cancel.set()
                await asyncio.wait([work])
            if not work.cancelled():
                work.exception()


async def _begin(call: Call, asked: Asked) -> "_Completion":
    prompts = await call.compute(lambda: prepare(call, asked), keeps_parts=True)
    check_room(asked, [len(prompt.ids) for prompt in prompts], call.service.model.manifest.architecture.max_positions)
    return _Completion(call, asked, prompts)


class _Completion:
    """A request's completions, from its prompts to the answer.

    Args:
        call: the request.
        asked: what it asks for.
        prompts: the prompts.
    """

    def __init__(self, call: Call, asked: Asked, prompts: Sequence[Prepared]) -> None:
        self._call, self._asked, self._prompts = call, asked, prompts
        self._created = int(time.time())
        self._scores: list[Score | None] = []
        self._pieces: dict[int, list[TextPiece]] = {index: [] for index in range(asked.num_sequences)}
        self._begun: set[int] = set()
        self._generations: list[Generation] = []

    def run(self, deliver: Deliver | None = None) -> None:
        """Computes the completions, in a thread; hands on each piece that is not empty."""
        if self._asked.echo and self._asked.logprobs is not None:
            self._scores = score_prompts(self._call, self._asked, self._prompts)
        if self._asked.max_tokens == 0:
            self._note_prompts()
            return

        def take(piece: TextPiece) -> None:
            self._pieces[self._index(piece)].append(piece)
            if deliver is not None and (piece.token_ids or piece.text or piece.finish_reason):
                deliver(piece)

        self._generations = generate(self._call, self._asked, self._prompts, take)

    def whole(self) -> Mapping[str, object]:
        """Returns the answer as a whole."""
        choices = []
        for index, pieces in self._pieces.items():
            text = "".join(piece.text for piece in pieces)
            prompt = self._prompt_text(index)
            tokens = [token for piece in pieces for token in piece.logprobs or ()]
            logprobs = self._logprobs(index, tokens, is_first=True)
            reason: FinishReason | None = pieces[-1].finish_reason if pieces else "length"
            choices.append(self._choice(index, prompt + text, logprobs, reason))
        return self._object(choices) | {"usage": _usage(self._usage())}

    def chunk(self, piece: TextPiece) -> Mapping[str, object]:
        """Returns a piece as an event of a stream."""
        index = self._index(piece)
        is_first = index not in self._begun
        self._begun.add(index)
        text = self._prompt_text(index) + piece.text if is_first else piece.text
        logprobs = self._logprobs(index, piece.logprobs or (), is_first=is_first)
        return self._object([self._choice(index, text, logprobs, piece.finish_reason)])

    def last_chunks(self) -> list[Mapping[str, object]]:
        """Returns the events at the end of a stream: prompts that got no token, and the usage if it is wanted."""
        chunks: list[Mapping[str, object]] = []
        for index in sorted(self._pieces.keys() - self._begun):
            choice = self._choice(index, self._prompt_text(index), self._logprobs(index, (), is_first=True), "length")
            chunks.append(self._object([choice]))
        if self._asked.wants_usage:
            chunks.append(self._object([]) | {"usage": _usage(self._usage())})
        return chunks

    def _index(self, piece: TextPiece) -> int:
        return piece.prompt * self._asked.n + piece.sequence

    def _prompt_text(self, index: int) -> str:
        return self._prompts[index // self._asked.n].text

    def _logprobs(self, index: int, tokens: Sequence[TokenLogprob], *, is_first: bool) -> Logprobs | None:
        top = self._asked.logprobs
        if top is None:
            return None
        found = openai_logprobs(tokens, top, len(self._prompt_text(index)))
        return joined(self._prompt_logprobs(index, top), found) if is_first else found

    def _prompt_logprobs(self, index: int, top: int) -> Logprobs:
        if not self._asked.echo:
            return empty_logprobs()
        number = index // self._asked.n
        score = self._scores[number]
        first = self._call.service.model.tokenizer.token_text(self._prompts[number].ids[0])
        return echoed_logprobs(first, score.logprobs or () if score else (), top)

    def _choice(
        self, index: int, text: str, logprobs: Logprobs | None, reason: FinishReason | None
    ) -> Mapping[str, object]:
        finish_reason = None if reason is None else _FINISH_REASONS.get(reason, "time")
        return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish_reason}

    def _object(self, choices: Sequence[Mapping[str, object]]) -> dict[str, object]:
        return {
            "id": f"cmpl-{self._call.request_id}",
            "object": "text_completion",
            "created": self._created,
            "model": self._call.service.name,
            "choices": choices,
        }

    def _usage(self) -> Usage:
        if self._generations:
            return Usage.total(generation.usage for generation in self._generations)
        return Usage(sum(len(prompt.ids) for prompt in self._prompts))

    def _note_prompts(self) -> None:
        for prompt in self._prompts:
            self._call.service.metrics.note_prompt(len(prompt.ids))
            self._call.outcome.prompt_tokens += len(prompt.ids)


def _usage(usage: Usage) -> Mapping[str, int]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.new_tokens,
        "total_tokens": usage.prompt_tokens + usage.new_tokens,
    }
