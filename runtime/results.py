"""Results of the engine: generations, scores and choices."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from biogpt_onnx.runtime.decoding.state import FinishReason


@dataclass(frozen=True)
class Timings:
    """The time of a call by phase, in seconds; prompts of one batch share their figures.

    Attributes:
        tokenize: time for the conversion of the prompts to ids.
        prefill: time for reading the prompts, up to the first token.
        decode: time for all tokens after the first; in a stream this includes the caller's time between pieces.
        steps: number of forward passes in `decode`; with drafts fewer than tokens.
        captured_steps: number of steps that were replayed from a CUDA graph. On a GPU all steps of greedy search, of
            sampling and of beams should be; passes that verify drafts are not.
    """

    tokenize: float
    prefill: float
    decode: float
    steps: int
    captured_steps: int = 0


@dataclass(frozen=True)
class Hypothesis:
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
    """

    text: str
    token_ids: tuple[int, ...]
    score: float
    log_probabilities: tuple[float, ...]
    finish_reason: FinishReason


@dataclass(frozen=True)
class Generation:
    """The answer to one prompt: its best continuation, and all that were requested.

    Attributes:
        text: text of the best continuation, to append to the prompt.
        token_ids: new tokens of the best continuation.
        score: score of the best continuation, in nats.
        finish_reason: reason why the best continuation ended.
        sequences: all continuations, best first.
        timings: time of the call by phase.
    """

    text: str
    token_ids: tuple[int, ...]
    score: float
    finish_reason: FinishReason
    sequences: tuple[Hypothesis, ...]
    timings: Timings

    @classmethod
    def of(cls, sequences: tuple[Hypothesis, ...], timings: Timings) -> "Generation":
        """Returns the answer with these continuations, best first."""
        best = sequences[0]
        return cls(best.text, best.token_ids, best.score, best.finish_reason, sequences, timings)


@dataclass(frozen=True)
class Score:
    """The log-probabilities of a text.

    Attributes:
        token_ids: token ids of the text, without the one that starts every sequence.
        log_probabilities: log-probability of each token given those before it, in nats.
    """

    token_ids: tuple[int, ...]
    log_probabilities: tuple[float, ...]

    @property
    def total(self) -> float:
        """Log-probability of the whole text, in nats."""
        return math.fsum(self.log_probabilities)

    @property
    def perplexity(self) -> float:
        """Perplexity per token: exp of the mean negative log-probability."""
        return math.exp(-self.total / len(self.token_ids))


@dataclass(frozen=True)
class Choice:
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


@dataclass(frozen=True)
class Choices:
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
