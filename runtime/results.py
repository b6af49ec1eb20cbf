"""What the engine gives back."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from biogpt_onnx.runtime.decoding.state import FinishReason


@dataclass(frozen=True)
class Timings:
    """Where the time of a call went, in seconds; prompts of one batch share their figures.

    Attributes:
        tokenize: prompts to ids.
        prefill: reading the prompts, to the first token.
        decode: all tokens after the first; of a stream also what the caller did meanwhile.
        steps: forward passes in `decode`; with drafts fewer than tokens.
        captured_steps: those of them that were replayed from a CUDA graph. On a GPU all steps of greedy search, of
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
        text: what to append to the prompt; it begins with a space where one belongs.
        token_ids: the new tokens, the one that ended the sequence included.
        score: sum of their log-probabilities by the model's own reckoning, in nats; with beams divided by
            length ** length_penalty, as the beams are ranked.
        log_probabilities: of each new token behind those before it, in nats; with beams after the rules.
        finish_reason: "eos" (the model ended it), "stop" (a stop string, or nothing more was allowed), "length" (no
            more tokens were asked for), "time" (`max_time` was over), "cancelled".
    """

    text: str
    token_ids: tuple[int, ...]
    score: float
    log_probabilities: tuple[float, ...]
    finish_reason: FinishReason


@dataclass(frozen=True)
class Generation:
    """The answer to one prompt: its best continuation, and all that were asked for.

    Attributes:
        text: see `Hypothesis`.
        token_ids: see `Hypothesis`.
        score: see `Hypothesis`.
        finish_reason: see `Hypothesis`.
        sequences: all continuations, best first.
        timings: where the time went.
    """

    text: str
    token_ids: tuple[int, ...]
    score: float
    finish_reason: FinishReason
    sequences: tuple[Hypothesis, ...]
    timings: Timings

    @classmethod
    def of(cls, sequences: tuple[Hypothesis, ...], timings: Timings) -> "Generation":
        """The answer made of these continuations, best first."""
        best = sequences[0]
        return cls(best.text, best.token_ids, best.score, best.finish_reason, sequences, timings)


@dataclass(frozen=True)
class Score:
    """How likely a text is.

    Attributes:
        token_ids: the text's tokens, without the one that starts every sequence.
        log_probabilities: of each token given those before it, in nats.
    """

    token_ids: tuple[int, ...]
    log_probabilities: tuple[float, ...]

    @property
    def total(self) -> float:
        """Log-probability of the whole text, in nats."""
        return math.fsum(self.log_probabilities)

    @property
    def perplexity(self) -> float:
        """Per token: exp of the mean negative log-probability."""
        return math.exp(-self.total / len(self.token_ids))


@dataclass(frozen=True)
class Choice:
    """One of several given continuations.

    Attributes:
        text: as it was given; of ids, their text.
        token_ids: what was scored.
        log_probability: of all its tokens together after the prompt, in nats.
        probability: its share among the choices; they add up to 1.
    """

    text: str
    token_ids: tuple[int, ...]
    log_probability: float
    probability: float


@dataclass(frozen=True)
class Choices:
    """How likely each of several continuations of a prompt is.

    Attributes:
        choices: in the order in which they were given.
    """

    choices: tuple[Choice, ...]

    @property
    def best(self) -> Choice:
        """The likeliest; of equals the first."""
        return max(self.choices, key=lambda choice: choice.log_probability)

    @classmethod
    def of(
        cls, texts: Sequence[str], token_ids: Sequence[tuple[int, ...]], log_probabilities: Sequence[float]
    ) -> "Choices":
        """The choices with these log-probabilities, in nats."""
        largest = max(log_probabilities)
        weights = [math.exp(value - largest) for value in log_probabilities]
        total = math.fsum(weights)
        rows = zip(texts, token_ids, log_probabilities, weights, strict=True)
        return cls(tuple(Choice(text, ids, value, weight / total) for text, ids, value, weight in rows))
