"""Log-probabilities of tokens for people: each token with its text, its place, and the most probable ones there."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from biogpt_onnx.runtime.backends.protocol import Backend
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.decoding.stopping import ContinuationText
from biogpt_onnx.runtime.decoding.top_tokens import TopTokens, scored_tokens
from biogpt_onnx.runtime.results import Score, TokenLogprob, TopToken
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer, IncrementalDecoder

Span = tuple[int, int]


def generated_logprobs(
    backend: Backend[Any], tokenizer: BioGptTokenizer, state: SequenceState, spans: Iterable[Span], count: int
) -> tuple[TokenLogprob, ...]:
    """Returns the log-probabilities of a sequence's new tokens.

    Greedy search and sampling have recorded what is needed at each step. For a beam, whose steps have not, the prompt
    and the new tokens are read once more.

    Args:
        backend: the backend that runs the model.
        tokenizer: the tokenizer.
        state: a sequence that has ended.
        spans: characters of each new token in the new text.
        count: number of most probable tokens at each place.
    """
    tokens = state.token_ids
    if len(state.top_tokens) == len(tokens):
        scored: Iterable[tuple[float, TopTokens]] = zip(state.log_probabilities, state.top_tokens, strict=True)
    else:
        scored = scored_tokens(backend, state.prompt_ids, state.prefix, tokens, count)
    return token_logprobs(tokenizer, tokens, spans, scored)


def score_tokens(  # noqa: PLR0913, PLR0917 -- what is scored, behind what, and how
    backend: Backend[Any],
    tokenizer: BioGptTokenizer,
    prompt: tuple[Sequence[int], Prefix[Any] | None],
    token_ids: Sequence[int],
    spans: Callable[[], Iterable[Span]],
    count: int,
) -> Score:
    """Returns the score of tokens behind a prompt.

    Args:
        backend: the backend that runs the model.
        tokenizer: the tokenizer.
        prompt: token ids of the prompt, and the prefix that it may begin with.
        token_ids: ids of the tokens, at least one.
        spans: returns the characters of each token in the text.
        count: number of most probable tokens at each place; 0 for none.
    """
    if not count:
        return Score(tuple(token_ids), tuple(backend.score_tokens(*prompt, token_ids)))
    scored = list(scored_tokens(backend, *prompt, token_ids, count))
    return Score(
        tuple(token_ids),
        tuple(logprob for logprob, _ in scored),
        token_logprobs(tokenizer, token_ids, spans(), scored),
    )


def text_spans(tokenizer: BioGptTokenizer, text: str, config: GenerationConfig) -> list[Span]:
    """Returns the characters of each token of a text that is read by these settings."""
    tokens = tokenizer.tokenize_with_spans(
        text, special_tokens=config.special_tokens, normalize_punctuation=config.normalize_punctuation
    )
    return [(token.start, token.end) for token in tokens]


def decoded_spans(tokenizer: BioGptTokenizer, token_ids: Sequence[int]) -> list[Span]:
    """Returns the characters of each token in `tokenizer.decode(token_ids)`."""
    return continuation_spans(ContinuationText(IncrementalDecoder(tokenizer)), token_ids, len(token_ids))


def token_logprobs(
    tokenizer: BioGptTokenizer,
    token_ids: Sequence[int],
    spans: Iterable[Span],
    scored: Iterable[tuple[float, TopTokens]],
) -> tuple[TokenLogprob, ...]:
    """Returns tokens with their texts.

    Args:
        tokenizer: the tokenizer.
        token_ids: ids of the tokens.
        spans: characters of each token in the text.
        scored: log-probability of each token, in nats, and the most probable tokens at its place.
    """
    return tuple(
        TokenLogprob(
            text=tokenizer.token_text(token),
            token_id=token,
            span=span,
            logprob=logprob,
            top=tuple(TopToken(tokenizer.token_text(other), other, value) for other, value in top),
        )
        for token, span, (logprob, top) in zip(token_ids, spans, scored, strict=True)
    )


class GrowingSpans:
    """The characters that each new token adds to a text while the text grows.

    A later token may change the end of the text, and a stop string cuts it. The characters of a token are therefore
    known once the text up to its end is certain.

    Args:
        text: the text, to which nothing was written yet.
    """

    def __init__(self, text: ContinuationText) -> None:
        self._text = text
        self._unsettled: deque[str] = deque()
        self._end = 0

    def push(self, token_id: int) -> None:
        """Writes a token to the text."""
        self._text.push(token_id)
        self._unsettled.append(self._text.text)

    def settle(self, certain: str, *, is_whole: bool) -> list[Span]:
        """Returns the characters of those tokens that have become certain since the last call, in order.

        Args:
            certain: the beginning of the text that no later token can change.
            is_whole: True if that is all of the text.
        """
        spans: list[Span] = []
        while self._unsettled:
            so_far = self._unsettled[0]
            shared = _common_length(so_far, certain)
            if shared == len(certain) < len(so_far) and not is_whole:
                break
            self._unsettled.popleft()
            start, self._end = self._end, max(self._end, shared)
            spans.append((start, self._end))
        return spans


def continuation_spans(text: ContinuationText, token_ids: Sequence[int], num_written: int) -> list[Span]:
    """Writes new tokens to an empty text, and returns the characters that each of them adds to it.

    Args:
        text: the text, to which nothing was written yet.
        token_ids: ids of the new tokens.
        num_written: number of tokens that are written; the token that ends a text is not.
    """
    spans = GrowingSpans(text)
    for token in token_ids[:num_written]:
        spans.push(token)
    whole = text.text
    return spans.settle(whole, is_whole=True) + [(len(whole), len(whole))] * (len(token_ids) - num_written)


def _common_length(one: str, other: str) -> int:
    """Returns the number of characters at the beginning that two texts share."""
    if other.startswith(one):
        return len(one)
    return next(place for place in range(len(one)) if place >= len(other) or one[place] != other[place])
