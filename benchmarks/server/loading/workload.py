"""Requests and arrivals that a load consists of: equal seeds give equal ones, whichever server gets them."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

_LONGEST_PROMPT = 512
_START_ID = 2
# Those that the embedded checkpoint has, too; speed does not depend on which they are.
_WORD_IDS = (4, 8_000)


@dataclass(frozen=True)
class Request:
    """A request for a text.

    Attributes:
        prompt: token ids.
        new_tokens: how many are written; the end token does not end the text.
    """

    prompt: list[int]
    new_tokens: int


@dataclass(frozen=True)
class Kind:
    """A kind of request.

    Attributes:
        prompt_tokens: the fewest and the most tokens of a prompt.
        new_tokens: the fewest and the most new tokens.
    """

    prompt_tokens: tuple[int, int]
    new_tokens: tuple[int, int]

    @property
    def is_fixed(self) -> bool:
        """True if all requests are of equal lengths."""
        return self.prompt_tokens[0] == self.prompt_tokens[1] and self.new_tokens[0] == self.new_tokens[1]


KINDS = {
    "bc5cdr": Kind((192, 192), (17, 17)),
    "text": Kind((64, 64), (128, 128)),
    "chat-like": Kind((32, 512), (16, 128)),
}
"""Kinds by name: what finding the relations of an abstract reads and writes, free text, and mixed lengths."""


def requests(kind: Kind, seed: int = 0) -> Iterator[Request]:
    """Yields requests without end, their lengths drawn evenly between those of the kind."""
    numbers = random.Random(seed)  # noqa: S311 -- not for secrets
    while True:
        length = numbers.randint(*kind.prompt_tokens)
        new_tokens = numbers.randint(*kind.new_tokens)
        yield Request(_prompt(length, numbers), new_tokens)


def long_prompt(seed: int = 0) -> Request:
    """Returns a request with a prompt of 512 tokens, of which one token is asked."""
    # Of another kind of seed than those of `requests`, or they would begin alike.
    return Request(_prompt(_LONGEST_PROMPT, random.Random(f"long {seed}")), 1)  # noqa: S311 -- not for secrets


def poisson_arrivals(per_minute: float, seconds: float, seed: int = 0) -> list[float]:
    """Returns the seconds at which requests arrive that come independently of each other, in order.

    Args:
        per_minute: how many arrive in the mean.
        seconds: arrivals from 0 to here.
        seed: equal seeds give equal arrivals.

    Raises:
        ValueError: the rate is not above 0.
    """
    if per_minute <= 0:
        raise ValueError(f"{per_minute} requests a minute: there must be some")
    numbers = random.Random(seed)  # noqa: S311 -- not for secrets
    arrivals: list[float] = []
    moment = numbers.expovariate(per_minute / 60)
    while moment < seconds:
        arrivals.append(moment)
        moment += numbers.expovariate(per_minute / 60)
    return arrivals


def _prompt(length: int, numbers: random.Random) -> list[int]:
    return [_START_ID, *(numbers.randrange(*_WORD_IDS) for _ in range(length - 1))]
