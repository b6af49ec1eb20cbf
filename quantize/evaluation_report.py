"""What holding a bundle against its baseline found."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from biogpt_onnx.quantize.continuations import NUM_BEAMS, Continuations
from biogpt_onnx.quantize.divergence import TOP_K, Divergence
from biogpt_onnx.quantize.layer_errors import LayerError
from biogpt_onnx.reporting.estimates import Estimate


@dataclass(frozen=True)
class BundleSummary:
    """Which of the bundles.

    Attributes:
        precision: how its weights are stored.
        recipe: what made it; None for an export.
        num_bytes: size of its files.
    """

    precision: str
    recipe: str | None
    num_bytes: int

    def __str__(self) -> str:
        recipe = f" by recipe {self.recipe}" if self.recipe else ""
        return f"{self.precision}{recipe}, {self.num_bytes / 1e6:,.1f} MB"


@dataclass(frozen=True)
class Evaluation:
    """A bundle against its baseline on the same texts.

    Attributes:
        bundle: what was evaluated.
        baseline: what it was held against.
        num_skipped: texts without a token.
        num_cut: texts that were cut to the model's positions.
        perplexity: per token, over all documents together.
        baseline_perplexity: likewise, the baseline's.
        perplexity_increase: relative: 0.01 is one percent more than the baseline.
        kl_divergence: KL(baseline || bundle) of the next token's distribution, in nats, the mean over all tokens.
        top_1_agreement: share of tokens for which both find the same one most likely.
        top_5_overlap: share of the baseline's five most likely tokens that are among the bundle's, in the mean.
        continuations: answers to prompts; None where none were asked for.
        layer_errors: of each layer's keys and values.
        documents: of each document, as it was measured.
    """

    bundle: BundleSummary
    baseline: BundleSummary
    num_skipped: int
    num_cut: int
    perplexity: float
    baseline_perplexity: float
    perplexity_increase: Estimate
    kl_divergence: Estimate
    top_1_agreement: Estimate
    top_5_overlap: Estimate
    continuations: Continuations | None
    layer_errors: tuple[LayerError, ...]
    documents: tuple[Divergence, ...]

    @property
    def num_tokens(self) -> int:
        """Tokens that were predicted."""
        return sum(document.num_tokens for document in self.documents)

    def passed(self, max_perplexity_increase: float) -> bool:
        """Whether perplexity grew by no more than this share; what was measured counts, not the interval's end."""
        return self.perplexity_increase.value <= max_perplexity_increase

    def to_json(self, max_perplexity_increase: float | None = None) -> str:
        """Everything, and whether the gate was passed if there is one."""
        gate = None
        if max_perplexity_increase is not None:
            gate = {
                "max_perplexity_increase": max_perplexity_increase,
                "passed": self.passed(max_perplexity_increase),
            }
        fields = dataclasses.asdict(self) | {"num_tokens": self.num_tokens, "gate": gate}
        return json.dumps(fields, indent=2, allow_nan=False)

    def table(self, max_perplexity_increase: float | None = None) -> str:
        """The report for people to read, and whether the gate was passed if there is one."""
        lines = [*self._heading(), "", *self._measures(), "", *self._layers()]
        if max_perplexity_increase is not None:
            lines += ["", self._verdict(max_perplexity_increase)]
        return "\n".join(lines)

    def _heading(self) -> Iterator[str]:
        yield f"{'bundle':12}{self.bundle}"
        yield f"{'baseline':12}{self.baseline}"
        remarks = f"{self.num_cut} cut to the model's positions, {self.num_skipped} empty ones skipped"
        yield f"{'text':12}{len(self.documents):,} documents, {self.num_tokens:,} tokens; {remarks}"

    def _measures(self) -> Iterator[str]:
        yield f"{'':32}{'measured':>12}   95 % interval"
        yield f"{'perplexity':32}{self.perplexity:12,.4f}"
        yield f"{'perplexity of the baseline':32}{self.baseline_perplexity:12,.4f}"
        yield _row("perplexity increase", self.perplexity_increase, "{:+z.3%}".format)
        yield _row("KL divergence, nats a token", self.kl_divergence, "{:.2e}".format)
        yield _row("same most likely token", self.top_1_agreement, "{:.2%}".format)
        yield _row(f"same {TOP_K} most likely tokens", self.top_5_overlap, "{:.2%}".format)
        if (said := self.continuations) is not None:
            yield _row(f"greedy, equal of {said.baseline_tokens:.1f} tokens", said.greedy_equal_tokens, "{:.1f}".format)
            yield _row(f"greedy, {said.num_prompts} answers, equal", said.greedy_equal, "{:.1%}".format)
            yield _row(f"{NUM_BEAMS} beams, {said.num_prompts} answers, equal", said.beams_equal, "{:.1%}".format)

    def _layers(self) -> Iterator[str]:
        yield f"{'relative error of a layer':32}{'keys':>12}{'values':>12}"
        for number, error in enumerate(self.layer_errors):
            yield f"{number:<32}{error.keys:12.2e}{error.values:12.2e}"

    def _verdict(self, most: float) -> str:
        increase = self.perplexity_increase
        passed = self.passed(most)
        text = f"{'PASS' if passed else 'FAIL'}: perplexity increase {increase.value:+z.3%}, allowed {most:.3%}"
        if increase.interval and increase.interval[0] <= most < increase.interval[1]:
            text += "; the interval reaches over it, so more text would tell better"
        return text


def _row(name: str, estimate: Estimate, text: Callable[[float], str]) -> str:
    interval = " to ".join(map(text, estimate.interval)) if estimate.interval else "(one document has none)"
    return f"{name:32}{text(estimate.value):>12}   {interval}"
