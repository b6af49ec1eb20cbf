"""Results of the engine: generations, scores and choices."""

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from biogpt_onnx.runtime.decoding.state import FinishReason
from biogpt_onnx.runtime.result_base import Result

_LARGEST_EXPONENT = math.log(sys.float_info.max)


@dataclass(frozen=True, repr=False)
class Timings(Result):
    """The time of a call by phase, in seconds; prompts of one batch share their figures.

    Attributes:
        tokenize: time for the conversion of the prompts to ids.
        prefill: time for reading the prompts, up to the first token.
        decode: time for all tokens after the first; in a stream this includes the caller's time between pieces.
        steps: number of forward passes in `decode`; with drafts fewer than tokens.
        captured_steps: number of steps that were replayed from a CUDA graph. On a GPU all steps of greedy search, of
            sampling and of beams should be; passes that verify drafts are not.
        queue: time that the prompt waited for others before it was begun; 0 unless calls share passes
            (`BioGPT.concurrent`).
    """

    tokenize: float
    prefill: float
    decode: float
    steps: int
    captured_steps: int = 0
    queue: float = 0.0


@dataclass(frozen=True, repr=False)
class Usage(Result):
    """The numbers of tokens that an answer took.

    Attributes:
        prompt_tokens: number of tokens of the prompt that the model read, with `</s>` at its beginning.
        new_tokens: number of tokens that were generated, in all returned continuations together.
        dropped_tokens: number of tokens of the prompt that were left out because it is too long.
    """

    prompt_tokens: int
    new_tokens: int = 0
    dropped_tokens: int = 0

    @classmethod
    def total(cls, usages: Iterable["Usage"]) -> "Usage":
        """Returns the sum of several usages."""
        each = list(usages)
        return cls(
            sum(usage.prompt_tokens for usage in each),
            sum(usage.new_tokens for usage in each),
            sum(usage.dropped_tokens for usage in each),
        )


@dataclass(frozen=True, repr=False)
class TopToken(Result):
    """One of the most probable tokens at a place.

    Attributes:
        text: text of the token by itself, with a space at its end if it ends a word; `</s>` and the like by name.
        token_id: id of the token.
        logprob: log-probability of the token given those before it, by the model alone, in nats.
    """

    text: str
    token_id: int
    logprob: float

    @property
    def probability(self) -> float:
        """Probability of the token given those before it."""
        return math.exp(self.logprob)


@dataclass(frozen=True, repr=False)
class TokenLogprob(Result):
    """A token of a text, and the most probable tokens at its place.

    Attributes:
        text: text of the token by itself, with a space at its end if it ends a word; `</s>` and the like by name.
        token_id: id of the token.
        span: start and end of its characters in the text, the end excluded. Empty for a token that added none, such as
            `</s>`, or that stands behind a stop string.
        logprob: log-probability of the token given those before it, by the model alone, in nats.
        top: most probable tokens at this place, best first; the token itself need not be among them.
    """

    text: str
    token_id: int
    span: tuple[int, int]
    logprob: float
    top: tuple[TopToken, ...]

    @property
    def probability(self) -> float:
        """Probability of the token given those before it."""
        return math.exp(self.logprob)


@dataclass(frozen=True, repr=False)
class Hypothesis(Result, shown=("text", "finish_reason", "score"), optional=("logprobs",)):
    """One continuation of a prompt.

    Attributes:
        text: text to append to the prompt; it begins with a space where one belongs.
        token_ids: new tokens, including the one that ended the sequence.
        score: sum of the new tokens' log-probabilities by the model alone, in nats; with beams divided by
            length ** length_penalty, as the beams are ranked.
        log_probabilities: log-probability of each new token given those before it, in nats; with beams after the rules
            have been applied.
        finish_reason: "eos" (the model ended it), "stop" (a stop string, or nothing more was allowed), "length" (the
            most tokens that it may have were reached), "time" (`max_time` was over), "cancelled".
        logprobs: each new token with the most probable ones at its place, by the model alone, before any rule; None
            unless `GenerationConfig.logprobs` asks for them.
    """

    text: str
    token_ids: tuple[int, ...]
    score: float
    log_probabilities: tuple[float, ...]
    finish_reason: FinishReason
    logprobs: tuple[TokenLogprob, ...] | None = None


@dataclass(frozen=True, repr=False)
class TextPiece(Result, optional=("logprobs",)):
    """New text and new tokens of one sequence of a stream; see `BioGPT.stream_pieces`.

    Attributes:
        prompt: index of the prompt.
        sequence: index of the sequence among those of its prompt: 0 unless `num_return_sequences` asks for several.
        text: text that no later token can change, since the last piece of the sequence; may be empty.
        token_ids: new tokens since the last piece of the sequence, including the one that ended it.
        logprobs: each of these tokens with the most probable ones at its place, and its characters in the sequence's
            new text; None unless asked for.
        finish_reason: reason why the sequence ended, see `Hypothesis`; None unless the piece is its last.
        token_times: time at which each of these tokens was chosen, of `time.perf_counter`, which may be before the
            piece was asked for; empty for beams. Pieces that differ in nothing else are equal.
    """

    prompt: int
    sequence: int
    text: str
    token_ids: tuple[int, ...]
    logprobs: tuple[TokenLogprob, ...] | None
    finish_reason: FinishReason | None
    token_times: tuple[float, ...] = field(default=(), compare=False)


@dataclass(frozen=True, repr=False)
class Generation(
    Result, shown=("text", "finish_reason", "score", "usage"), computed=("logprobs",), optional=("logprobs",)
):
    """The answer to one prompt: its best continuation, and all that were requested.

    Attributes:
        text: text of the best continuation, to append to the prompt.
        token_ids: new tokens of the best continuation.
        score: score of the best continuation, in nats.
        finish_reason: reason why the best continuation ended.
        sequences: all continuations, best first.
        timings: time of the call by phase.
        usage: numbers of tokens that were read, generated and dropped.
    """

    text: str
    token_ids: tuple[int, ...]
    score: float
    finish_reason: FinishReason
    sequences: tuple[Hypothesis, ...]
    timings: Timings
    usage: Usage

    @property
    def logprobs(self) -> tuple[TokenLogprob, ...] | None:
        """Each new token of the best continuation with the most probable ones at its place; None unless asked for."""
        return self.sequences[0].logprobs

    @classmethod
    def of(cls, sequences: tuple[Hypothesis, ...], timings: Timings, usage: Usage) -> "Generation":
        """Returns the answer with these continuations, best first."""
        best = sequences[0]
        return cls(best.text, best.token_ids, best.score, best.finish_reason, sequences, timings, usage)


@dataclass(frozen=True, repr=False)
class Score(
    Result, shown=("total", "perplexity", "token_ids"), computed=("total", "perplexity"), optional=("logprobs",)
):
    """The log-probabilities of a text.

    Attributes:
        token_ids: token ids of the text, without the one that starts every sequence.
        log_probabilities: log-probability of each token given those before it, in nats.
        logprobs: each token of the text with the most probable ones at its place; None unless asked for.
    """

    token_ids: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    logprobs: tuple[TokenLogprob, ...] | None = None

    @property
    def total(self) -> float:
        """Log-probability of the whole text, in nats."""
        return math.fsum(self.log_probabilities)

    @property
    def perplexity(self) -> float:
        """Perplexity per token: exp of the mean negative log-probability; infinity where that is too large."""
        exponent = -self.total / len(self.token_ids)
        return math.exp(exponent) if exponent < _LARGEST_EXPONENT else math.inf


@dataclass(frozen=True, repr=False)
class Choice(Result, shown=("text", "probability", "log_probability")):
    """One of several given continuations of a prompt, with its probability.

    Attributes:
        text: text of the continuation, as it was given.
        token_ids: token ids that were scored.
        log_probability: log-probability of all its tokens together after the prompt, in nats.
        probability: share of the choice among all choices; the shares add up to 1.
    """

    text: str
    token_ids: tuple[int, ...]
    log_probability: float
    probability: float


@dataclass(frozen=True, repr=False)
class Choices(Result, shown=("best",)):
    """Several given continuations of a prompt, with their probabilities.

    Attributes:
        choices: the choices, in the order in which they were given.
    """

    choices: tuple[Choice, ...]

    @property
    def best(self) -> Choice:
        """Most likely choice; the first of equally likely ones."""
        return max(self.choices, key=lambda choice: choice.log_probability)

    @classmethod
    def of(
        cls, texts: Sequence[str], token_ids: Sequence[tuple[int, ...]], log_probabilities: Sequence[float]
    ) -> "Choices":
        """Returns the choices with these log-probabilities, in nats."""
        largest = max(log_probabilities)
        weights = [math.exp(value - largest) for value in log_probabilities]
        total = math.fsum(weights)
        rows = zip(texts, token_ids, log_probabilities, weights, strict=True)
        return cls(tuple(Choice(text, ids, value, weight / total) for text, ids, value, weight in rows))
