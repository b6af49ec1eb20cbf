"""Report of the comparison of a bundle with its baseline."""

import dataclasses
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from biogpt_onnx.quantize.evaluate.continuations import NUM_BEAMS, Continuations
from biogpt_onnx.quantize.evaluate.divergence import TOP_K, Divergence
from biogpt_onnx.quantize.evaluate.layer_errors import LayerError
from biogpt_onnx.reporting.estimates import Estimate

# Nats a token of a sound baseline, in those of a guess among all tokens. Random weights need 1.1 times as many.
_MOST_GUESSES = 2.0
# Largest share by which the rounding of weights was ever seen to lower perplexity, by far.
_MOST_IMPROVEMENT = 0.05


@dataclass(frozen=True)
class BundleSummary:
    """Summary of a bundle.

    Attributes:
        precision: precision of its weights.
        recipe: recipe that made it; None for an export.
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
    """Comparison of a bundle with its baseline on the same texts.

    Attributes:
        bundle: bundle that was evaluated.
        baseline: bundle that it was compared with.
        num_skipped: texts without a token.
        num_cut: texts that were cut to the model's positions.
        perplexity: perplexity per token, over all documents together.
        baseline_perplexity: perplexity of the baseline, over all documents together.
        perplexity_increase: relative increase: 0.01 is one percent more than the baseline.
        kl_divergence: KL(baseline || bundle) of the next token's distribution, in nats, the mean over all tokens.
        top_1_agreement: share of positions at which both have the same most likely token.
        top_5_overlap: mean share of the baseline's five most likely tokens that are among the bundle's.
        continuations: comparison of continuations; None where there were no prompts.
        layer_errors: error of each layer's keys and values.
        documents: divergence on each document.
        vocab_size: entries of the vocabulary, from which a guess among all tokens has its perplexity.
        reading_perplexity_increase: increase where text is read as prompts are, of a bundle whose sequences step by a
            graph of their own, by which all other figures were computed; None for other bundles.
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
    vocab_size: int
    reading_perplexity_increase: Estimate | None = None

    @property
    def num_tokens(self) -> int:
        """Tokens that were predicted."""
        return sum(document.num_tokens for document in self.documents)

    def passed(self, max_perplexity_increase: float) -> bool:
        """Returns True where the measured increase of perplexity, not its interval's end, is at most this share.

        Where text is read by another graph than steps, both increases must be. Nothing passes beside a baseline that is
        worse than a guess, or that quantization seems to improve by much.
        """
        increases = [self.perplexity_increase, self.reading_perplexity_increase]
        is_small = all(found.value <= max_perplexity_increase for found in increases if found is not None)
        return is_small and not self.doubt(max_perplexity_increase)

    def doubt(self, max_perplexity_increase: float) -> str | None:
        """Returns the reason why the comparison shows nothing; None where there is none."""
        nats = sum(document.baseline_nll for document in self.documents) / self.num_tokens
        guess = math.log(self.vocab_size)
        if nats > _MOST_GUESSES * guess:
            return (
                f"the baseline needs {nats:,.1f} nats a token where a guess among all tokens needs {guess:.1f}: its "
                "weights are not sound, or the text is none that it knows"
            )
        if -self.perplexity_increase.value > max(max_perplexity_increase, _MOST_IMPROVEMENT):
            return (
                f"perplexity fell by {-self.perplexity_increase.value:.1%}, as quantization cannot bring about: the "
                "baseline is not sound, or is not what the bundle was made from"
            )
        return None

    def to_json(self, max_perplexity_increase: float | None = None) -> str:
        """Returns all figures as JSON, and the result of the quality gate where its limit is given."""
        gate: dict[str, object] | None = None
        if max_perplexity_increase is not None:
            gate = {
                "max_perplexity_increase": max_perplexity_increase,
                "passed": self.passed(max_perplexity_increase),
            }
            if doubt := self.doubt(max_perplexity_increase):
                gate["doubt"] = doubt
        fields = dataclasses.asdict(self) | {"num_tokens": self.num_tokens, "gate": gate}
        return json.dumps(fields, indent=2, allow_nan=False)

    def table(self, max_perplexity_increase: float | None = None) -> str:
        """Returns the report as lines of text, and the result of the quality gate where its limit is given."""
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
        if self.reading_perplexity_increase is not None:
            yield _row("perplexity increase, as prompt", self.reading_perplexity_increase, "{:+z.3%}".format)
        yield _row("KL divergence, nats a token", self.kl_divergence, "{:.2e}".format)
        yield _row("same most likely token", self.top_1_agreement, "{:.2%}".format)
        yield _row(f"same {TOP_K} most likely tokens", self.top_5_overlap, "{:.2%}".format)
        if (answers := self.continuations) is not None:
            yield _row(
                f"greedy, equal of {answers.baseline_tokens:.1f} tokens", answers.greedy_equal_tokens, "{:.1f}".format
            )
            yield _row(f"greedy, {answers.num_prompts} answers, equal", answers.greedy_equal, "{:.1%}".format)
            yield _row(f"{NUM_BEAMS} beams, {answers.num_prompts} answers, equal", answers.beams_equal, "{:.1%}".format)

    def _layers(self) -> Iterator[str]:
        yield f"{'relative error of a layer':32}{'keys':>12}{'values':>12}"
        for number, error in enumerate(self.layer_errors):
            yield f"{number:<32}{error.keys:12.2e}{error.values:12.2e}"

    def _verdict(self, most: float) -> str:
        increase = self.perplexity_increase
        passed = self.passed(most)
        text = f"{'PASS' if passed else 'FAIL'}: perplexity increase {increase.value:+z.3%}, allowed {most:.3%}"
        if doubt := self.doubt(most):
            return f"{text}; {doubt}"
        if (reading := self.reading_perplexity_increase) is not None:
            text += f"; of text that is read as a prompt {reading.value:+z.3%}"
        if increase.interval and increase.interval[0] <= most < increase.interval[1]:
            text += "; the interval reaches over it, so more text would tell better"
        return text


def _row(name: str, estimate: Estimate, text: Callable[[float], str]) -> str:
    interval = " to ".join(map(text, estimate.interval)) if estimate.interval else "(one document has none)"
    return f"{name:32}{text(estimate.value):>12}   {interval}"
