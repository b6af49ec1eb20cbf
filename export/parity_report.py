"""Report of a bundle's parity with transformers."""

from dataclasses import dataclass
from enum import StrEnum

TOP_K = 5
"""Number of the most likely tokens that are compared as a set."""


_USUAL_SPREAD = 2.0
"""Standard deviation of a trained model's logits at a position; the embedded checkpoint's is 2.4."""


class Verdict(StrEnum):
    """Result of a comparison."""

    PASS = "PASS"  # noqa: S105 -- no password
    FAIL = "FAIL"
    AMBIGUOUS = "AMBIGUOUS"
    """Other tokens, but only where the reference's two best logits differ by less than the tolerance."""


@dataclass(frozen=True)
class Tolerance:
    """Largest allowed difference of a logit: `absolute` + `relative` * |reference|.

    Attributes:
        absolute: allowed difference at a logit of 0.
        relative: further allowed difference, as a share of the reference's logit.
    """

    absolute: float = 1e-4
    relative: float = 1e-5

    @classmethod
    def for_spread(cls, spread: float) -> "Tolerance":
        """Returns the default tolerance for logits of this standard deviation.

        Rounding grows with the values that are added up, so that beyond the spread of a usual BioGPT the allowed
        difference grows alike. So does what a fault would change.
        """
        return cls(absolute=cls.absolute * max(1.0, spread / _USUAL_SPREAD))


@dataclass(frozen=True)
class LogitsComparison:
    """Comparison of logits, computed in one of the runtime's ways.

    Attributes:
        name: name of the way.
        verdict: result.
        num_tokens: positions compared.
        largest_difference: largest absolute difference of a logit.
        mean_difference: mean absolute difference over all logits.
        top_1_agreement: share of positions with the same most likely token.
        top_k_overlap: mean share of the reference's `TOP_K` most likely tokens that are among the bundle's.
        smallest_margin: smallest distance between the reference's two best logits; near zero, rounding decides.
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
    """Comparison of generated tokens.

    Attributes:
        name: name of the way of generating.
        verdict: result.
        num_tokens: tokens compared.
        num_equal: tokens before the first that differs, summed over all prompts.
        smallest_margin: smallest distance between the reference's two best logits; near zero, rounding decides.
    """

    name: str
    verdict: Verdict
    num_tokens: int
    num_equal: int
    smallest_margin: float


@dataclass(frozen=True)
class TextComparison:
    """Comparison of the two tokenizers on a group of texts.

    Attributes:
        name: what is compared.
        verdict: result.
        num_texts: texts compared.
        num_equal: texts that are the same to both.
        first_difference: first text that is not; None where all are.
    """

    name: str
    verdict: Verdict
    num_texts: int
    num_equal: int
    first_difference: str | None = None


@dataclass(frozen=True)
class ParityReport:
    """All comparisons of a bundle.

    Attributes:
        logits: comparisons of logits.
        tokens: comparisons of generated tokens.
        tolerance: largest allowed difference of a logit.
        texts: comparisons of the tokenizers.
        reference: how the reference read the checkpoint; empty where that is not said.
    """

    logits: tuple[LogitsComparison, ...]
    tokens: tuple[TokensComparison, ...]
    tolerance: Tolerance
    texts: tuple[TextComparison, ...] = ()
    reference: str = ""

    @property
    def comparisons(self) -> tuple[LogitsComparison | TokensComparison | TextComparison, ...]:
        """Comparisons of logits, then of tokens, then of texts."""
        return (*self.logits, *self.tokens, *self.texts)

    @property
    def passed(self) -> bool:
        """True unless a comparison failed; in an ambiguous one either token would have been right."""
        return all(comparison.verdict is not Verdict.FAIL for comparison in self.comparisons)

    def table(self) -> str:
        """Returns the report as lines of text."""
        limit = f"{self.tolerance.absolute:g} + {self.tolerance.relative:g} * |logit|"
        lines = [
            *([f"reference: {self.reference}"] if self.reference else []),
            f"{'logits, within ' + limit:44}{'largest':>10}{'mean':>10}{'top 1':>8}{'top 5':>8}{'margin':>10}",
            *(
                f"{row.verdict:10}{row.name:22}{row.num_tokens:5} tokens{row.largest_difference:10.1e}"
                f"{row.mean_difference:10.1e}{row.top_1_agreement:8.1%}{row.top_k_overlap:8.1%}{row.smallest_margin:10.1e}"
                for row in self.logits
            ),
            *([f"{'tokens':44}{'equal':>10}{'margin':>36}"] if self.tokens else []),
            *(
                f"{row.verdict:10}{row.name:22}{row.num_tokens:5} tokens{row.num_equal:10}{row.smallest_margin:36.1e}"
                for row in self.tokens
            ),
            *([f"{'texts':44}{'equal':>10}"] if self.texts else []),
            *(
                f"{row.verdict:10}{row.name:22}{row.num_texts:5} texts {row.num_equal:10}"
                + (f"  {row.first_difference}" if row.first_difference else "")
                for row in self.texts
            ),
            "PASS" if self.passed else "FAIL: the bundle does not compute what the checkpoint says",
        ]
        return "\n".join(lines)
