"""The generation behind a request for completions, in a thread of its own, with its times for the metrics."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from biogpt_onnx.runtime.results import Generation, Score, TextPiece
from biogpt_onnx.server.completions.asked import DEFAULT_MAX_TOKENS, Asked
from biogpt_onnx.server.http.call import Call


@dataclass(frozen=True)
class Prepared:
    """A prompt that is ready to be continued.

    Attributes:
        ids: its token ids.
        text: its text, for requests that want it before the completions.
    """

    ids: tuple[int, ...]
    text: str


def prepare(call: Call, asked: Asked) -> list[Prepared]:
    """Tokenizes the prompts; takes a while for long ones.

    Raises:
        PromptError: a prompt cannot be tokenized.
    """
    tokenizer = call.service.model.tokenizer
    prepared = []
    for prompt in asked.prompts:
        ids = tuple(tokenizer.encode(prompt)) if isinstance(prompt, str) else prompt
        text = ""
        if asked.echo:
            text = prompt if isinstance(prompt, str) else tokenizer.decode(ids)
        prepared.append(Prepared(ids, text))
    return prepared


def score_prompts(call: Call, asked: Asked, prompts: Sequence[Prepared]) -> list[Score | None]:
    """Returns the log-probabilities of the prompts' tokens; None for a prompt that is a single token."""
    top = max(1, asked.logprobs or 0)
    scores: list[Score | None] = []
    for given, prompt in zip(asked.prompts, prompts, strict=True):
        if len(prompt.ids) == 1:
            scores.append(None)
        elif isinstance(given, str):
            scores.append(call.service.model.score(given, logprobs=top, cancel=call.cancel))
        else:
            scores.append(call.service.model.score_ids(given, logprobs=top, cancel=call.cancel))
    return scores


def generate(
    call: Call, asked: Asked, prompts: Sequence[Prepared], deliver: Callable[[TextPiece], None]
) -> list[Generation]:
    """Continues the prompts, and hands on each piece of text when it is there.

    Args:
        call: the request; its generation ends when `call.cancel` is set.
        asked: what it asks for.
        prompts: the prompts.
        deliver: takes a piece.

    Returns:
        The generations in the order of the prompts.

    Raises:
        BioGptError: the settings or a prompt cannot be used.
    """
    service, times = call.service, _Times(call, prompts)
    room = service.model.manifest.architecture.max_positions - max(len(prompt.ids) for prompt in prompts) + 1
    max_new_tokens = max(1, min(DEFAULT_MAX_TOKENS, room)) if asked.max_tokens is None else asked.max_tokens
    with service.model.stream_pieces(
        [prompt.ids for prompt in prompts],
        allowed=asked.allowed,
        cancel=call.cancel,
        max_new_tokens=max_new_tokens,
        **asked.settings,
    ) as stream:
        for piece in stream:
            times.note(piece)
            deliver(piece)
        generations = [generation for generation in stream.generations if generation is not None]
    for generation in generations:
        service.metrics.note_prompt(generation.usage.prompt_tokens, generation.timings)
        call.outcome.prompt_tokens += generation.usage.prompt_tokens
    return generations


class _Times:
    """Notes when tokens come, and what becomes of sequences."""

    def __init__(self, call: Call, prompts: Sequence[Prepared]) -> None:
        self._call = call
        self._unread = {number: len(prompt.ids) for number, prompt in enumerate(prompts)}
        self._last: dict[tuple[int, int], float] = {}
        self._counts: dict[tuple[int, int], int] = {}

    def note(self, piece: TextPiece) -> None:
        metrics, outcome = self._call.service.metrics, self._call.outcome
        key, count = (piece.prompt, piece.sequence), len(piece.token_ids)
        metrics.count_tokens(prompt=self._unread.pop(piece.prompt, 0), new=count)
        if count and not self._counts.get(key):
            metrics.note_first_token(outcome.seconds)
        # A piece may hold the tokens of several passes, each of which had a time of its own.
        for time in piece.token_times:
            if key in self._last:
                metrics.note_next_token(time - self._last[key])
            self._last[key] = time
        self._counts[key] = self._counts.get(key, 0) + count
        outcome.new_tokens += count
        if piece.finish_reason is not None:
            metrics.note_answer(self._counts[key], piece.finish_reason)
            outcome.finish_reasons[piece.finish_reason] += 1
