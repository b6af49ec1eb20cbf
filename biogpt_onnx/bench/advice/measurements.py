"""What is measured of a bundle with a number of threads: its times in each round, and its memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field

PROMPT_TOKENS = 128
"""Tokens of the prompt whose reading is measured."""
NUM_BEAMS = 5
"""Beams of the search that is measured."""
BATCH_SIZE = 8
"""Rows of the batch that is measured."""


@dataclass(frozen=True)
class Times:
    """Times of one turn, in seconds.

    Attributes:
        prompt: until the first token behind a prompt of 128 tokens.
        step: of a token after it.
        beams: of a step of 5 beams, behind a short prompt.
        batch: of a step of 8 rows, behind short prompts.
    """

    prompt: float
    step: float
    beams: float
    batch: float


@dataclass(frozen=True)
class BundleFacts:
    """What is known of a bundle without measuring.

    Attributes:
        name: its name in the advice, which no other bundle has.
        recipe: its recipe, or its precision where it has none.
        disk_bytes: size of its files.
        perplexity_increase: growth of perplexity beside its float32 original, as a share, from the report it carries;
            None without one.
        is_original: True for a float32 bundle, which others are compared with.
        holds_rows_apart: True if a row's result is the same to the last bit whatever is computed beside it, on this
            processor.
    """

    name: str
    recipe: str
    disk_bytes: int
    perplexity_increase: float | None = None
    is_original: bool = False
    holds_rows_apart: bool = True

    @property
    def is_proven(self) -> bool:
        """True if it is known how its answers differ from those of its original."""
        return self.is_original or self.perplexity_increase is not None


@dataclass
class Measurement:
    """What was measured of a bundle with a number of threads.

    Attributes:
        bundle: the bundle.
        threads: number of threads.
        rounds: its times by the number of the round; it does not take part in all.
        resident_bytes: memory of its process, mapped files included; 0 if it is not known.
    """

    bundle: BundleFacts
    threads: int
    rounds: dict[int, Times] = field(default_factory=dict)
    resident_bytes: int = 0

    @property
    def label(self) -> str:
        """Name of the bundle with the number of threads."""
        return f"{self.bundle.name} with {self.threads} thread{'' if self.threads == 1 else 's'}"


def bundle_bytes(measurements: Sequence[Measurement], bundle: BundleFacts) -> int:
    """Returns the memory that a bundle takes with any of its measured numbers of threads; 0 if it is not known."""
    return max(each.resident_bytes for each in measurements if each.bundle == bundle)
