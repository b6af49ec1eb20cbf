"""What a comparison of a graph with transformers found."""

from dataclasses import dataclass
from enum import StrEnum

TOP_K = 5
"""How many of the most likely tokens are compared as a set."""


class Verdict(StrEnum):
    """What a comparison found."""

    PASS = "PASS"  # noqa: S105 -- no password
    FAIL = "FAIL"
    AMBIGUOUS = "AMBIGUOUS"
    """Other tokens, but where the reference's two best differ by less than the tolerance."""


@dataclass(frozen=True)
class Tolerance:
    """How far logits may differ: `absolute` + `relative` * |reference|."""

    absolute: float = 1e-4
    relative: float = 1e-5


@dataclass(frozen=True)
class LogitsComparison:
    """One way of computing logits, compared.

    Attributes:
        name: which way.
        verdict: what was found.
        num_tokens: positions compared.
        largest_difference: of any logit.
        mean_difference: over all logits.
        top_1_agreement: share of positions with the same most likely token.
        top_k_overlap: mean share of the reference's `TOP_K` most likely tokens that are among ours.
        smallest_margin: the reference's smallest distance between its two best logits: near zero, rounding decides.
    """

    name: str
    verdict: Verdict
    num_tokens: int
    largest_difference: float
    mean_difference: float
    top_1_agreement: float
    top_k_overlap: float
    smallest_margin: float


@dataclass(frozen=True)
class TokensComparison:
    """One way of generating, compared.

    Attributes:
        name: which way.
        verdict: what was found.
        num_tokens: tokens compared.
        num_equal: tokens before the first that differs, over all prompts.
        smallest_margin: see `LogitsComparison`.
    """

    name: str
    verdict: Verdict
    num_tokens: int
    num_equal: int
    smallest_margin: float


@dataclass(frozen=True)
class ParityReport:
    """All comparisons of a bundle."""

    logits: tuple[LogitsComparison, ...]
    tokens: tuple[TokensComparison, ...]
    tolerance: Tolerance

    @property
    def comparisons(self) -> tuple[LogitsComparison | TokensComparison, ...]:
        """All of them."""
        return (*self.logits, *self.tokens)

    @property
    def passed(self) -> bool:
        """Whether no comparison failed. An ambiguous one has not: either token would have been right."""
        return all(comparison.verdict is not Verdict.FAIL for comparison in self.comparisons)

    def table(self) -> str:
        """The report for people to read."""
        limit = f"{self.tolerance.absolute:g} + {self.tolerance.relative:g} * |logit|"
        lines = [
            f"{'logits, within ' + limit:44}{'largest':>10}{'mean':>10}{'top 1':>8}{'top 5':>8}{'margin':>10}",
            *(
                f"{row.verdict:10}{row.name:22}{row.num_tokens:5} tokens{row.largest_difference:10.1e}"
                f"{row.mean_difference:10.1e}{row.top_1_agreement:8.1%}{row.top_k_overlap:8.1%}{row.smallest_margin:10.1e}"
                for row in self.logits
            ),
            f"{'tokens':44}{'equal':>10}{'margin':>36}",
            *(
                f"{row.verdict:10}{row.name:22}{row.num_tokens:5} tokens{row.num_equal:10}{row.smallest_margin:36.1e}"
                for row in self.tokens
            ),
            "PASS" if self.passed else "FAIL: the bundle does not compute what the checkpoint says",
        ]
        return "\n".join(lines)
