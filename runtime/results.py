"""What the engine gives back."""

import math
from dataclasses import dataclass

from biogpt_onnx.runtime.decoding.state import FinishReason


@dataclass(frozen=True)
class Timings:
    """Where the time of a call went, in seconds; prompts of one batch share their figures.

    Attributes:
        tokenize: prompts to ids.
        prefill: reading the prompts, to the first token.
        decode: all tokens after the first.
        steps: forward passes in `decode`.
    """

    tokenize: float
    prefill: float
    decode: float
    steps: int


@dataclass(frozen=True)
class Hypothesis:
    """One continuation of a prompt.

    Attributes:
        text: what to append to the prompt; it begins with a space where one belongs.
        token_ids: the new tokens, the one that ended the sequence included.
        score: sum of their log-probabilities, in nats.
        finish_reason: "eos" (the model ended it), "stop" (a stop string), "length" (no more tokens allowed).
    """

    text: str
    token_ids: tuple[int, ...]
    score: float
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
