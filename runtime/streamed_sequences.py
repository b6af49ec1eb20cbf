"""Sequences of a stream: the text and the tokens of each that were not given yet."""

from collections.abc import Callable, Sequence

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.decoding.state import FinishReason, SequenceState
from biogpt_onnx.runtime.decoding.stopping import ContinuationText
from biogpt_onnx.runtime.request_building import continuation_text
from biogpt_onnx.runtime.results import Generation, TextPiece, TokenLogprob
from biogpt_onnx.runtime.token_logprobs import GrowingSpans, token_logprobs
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer


class StreamedSequence:
    """The text of a sequence while its tokens come one after the other.

    Another thread may continue the sequence meanwhile.

    Args:
        place: index of the prompt, and of the sequence among those of its prompt.
        state: the sequence, which a search continues.
        text: text of the continuation, to which nothing was written yet.
        tokenizer: names the tokens whose log-probabilities are asked for; None if they are not.
    """

    def __init__(
        self, place: tuple[int, int], state: SequenceState, text: ContinuationText, tokenizer: BioGptTokenizer | None
    ) -> None:
        self._place = place
        self._state = state
        self._text = text
        self._tokenizer = tokenizer
        self._spans = GrowingSpans(text)
        self._certain = ""
        self._num_read = self._num_given = 0
        self._is_whole = False

    def take(self) -> TextPiece | None:
        """Returns what is new since the last call; None if nothing is."""
        if self._is_whole:
            return None
        tokens, finish_reason = self._new_tokens()
        if not tokens and finish_reason is None:
            return None
        self._is_whole = finish_reason is not None
        first, self._num_read = self._num_read, self._num_read + len(tokens)
        text = self._write(tokens[: -1 if finish_reason == "eos" else None])
        if self._tokenizer is None:
            times = tuple(self._state.token_times[first : self._num_read])
            return TextPiece(*self._place, text, tuple(tokens), None, finish_reason, times)
        first = self._num_given
        logprobs = self._logprobs(self._tokenizer)
        times = tuple(self._state.token_times[first : self._num_given])
        return TextPiece(*self._place, text, tuple(each.token_id for each in logprobs), logprobs, finish_reason, times)

    def _new_tokens(self) -> tuple[list[int], FinishReason | None]:
        # In this order, because a sequence that has ended gets no more tokens, and each token its log-probability last.
        state, finish_reason = self._state, self._state.finish_reason
        tokens = state.token_ids[self._num_read : len(state.log_probabilities)]
        if finish_reason is None and tokens and tokens[-1] in state.end_token_ids:
            return tokens[:-1], None
        return tokens, finish_reason

    def _write(self, tokens: Sequence[int]) -> str:
        """Adds tokens to the text; returns what has become certain by them."""
        for token in tokens:
            if self._tokenizer is None:
                self._text.push(token)
            else:
                self._spans.push(token)
        new = self._text.take() + (self._text.finish() if self._is_whole else "")
        self._certain += new
        return new

    def _logprobs(self, tokenizer: BioGptTokenizer) -> tuple[TokenLogprob, ...]:
        """Returns the log-probabilities of the tokens whose characters have become certain."""
        state, first = self._state, self._num_given
        spans = self._spans.settle(self._certain, is_whole=self._is_whole)
        if self._is_whole:
            end = len(self._certain)
            spans += [(end, end)] * (self._num_read - first - len(spans))
        self._num_given = last = first + len(spans)
        scored = zip(state.log_probabilities[first:last], state.top_tokens[first:last], strict=True)
        return token_logprobs(tokenizer, state.token_ids[first:last], spans, scored)


class StreamedPrompt:
    """The sequences of one prompt of a stream.

    Args:
        index: index of the prompt.
        request: the prompt, which a search continues.
        sequences: its sequences; None if tokens are certain only at the end of the search.
        finish: returns the generation of a request whose search is over.
    """

    def __init__(
        self,
        index: int,
        request: Request,
        sequences: Sequence[StreamedSequence] | None,
        finish: Callable[[Request], Generation],
    ) -> None:
        self._index = index
        self._request = request
        self._sequences = sequences
        self._finish = finish
        self.generation: Generation | None = None

    def take(self, *, is_over: bool) -> list[TextPiece]:
        """Returns a piece of each sequence that has something new since the last call.

        Args:
            is_over: True if the search of all prompts is over.
        """
        ended = self._ended(is_over=is_over)
        if self._sequences is not None:
            return [piece for sequence in self._sequences if (piece := sequence.take()) is not None]
        return [
            TextPiece(self._index, rank, found.text, found.token_ids, found.logprobs, found.finish_reason)
            for rank, found in enumerate(ended.sequences if ended else ())
        ]

    def _ended(self, *, is_over: bool) -> Generation | None:
        """Returns the generation if the search has ended since the last call."""
        request = self._request
        # A sequence that has no reason to end was left by an error, which the search is about to raise.
        has_ended = request.has_ended and all(state.finish_reason is not None for state in request.states)
        if self.generation is not None or not (is_over or has_ended):
            return None
        self.generation = self._finish(request)
        return self.generation


def streamed_prompt(
    index: int,
    request: Request,
    tokenizer: BioGptTokenizer,
    config: GenerationConfig,
    finish: Callable[[Request], Generation],
) -> StreamedPrompt:
    """Returns a prompt of a stream, none of whose tokens were given.

    Args:
        index: index of the prompt.
        request: the prompt, whose search has not begun.
        tokenizer: converts its new tokens to text.
        config: the settings.
        finish: returns the generation of a request whose search is over.
    """
    if config.num_beams > 1:
        return StreamedPrompt(index, request, None, finish)
    names = tokenizer if config.logprobs else None
    sequences = [
        StreamedSequence((index, number), state, continuation_text(tokenizer, state.prompt_ids, config), names)
        for number, state in enumerate(request.states)
    ]
    return StreamedPrompt(index, request, sequences, finish)
