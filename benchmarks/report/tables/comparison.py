"""Tables of the comparison with other libraries."""

from collections import Counter
from collections.abc import Callable

from benchmarks.report.captions import commit
from benchmarks.report.runs import Run, processor
from biogpt_onnx.bench.report.comparison import compare_with_peers
from biogpt_onnx.bench.report.summary import headline, summary


def headline_table(run: Run) -> str:
    """Makes the table of the headline scenarios alone."""
    return headline(run["rows"])


def comparison_table(run: Run) -> str:
    """Makes the table of the headline scenarios, with the figures in which a peer is ahead."""
    return summary(run["rows"])


def comparison_elsewhere(report: str) -> Callable[[Run], str]:
    """Returns what makes a sentence of the comparison on another processor.

    Args:
        report: name of the comparison's own report.
    """

    def sentence(run: Run) -> str:
        first = run["rows"][0]
        comparisons = compare_with_peers(run["rows"])
        found = Counter(comparison.outcome for comparison in comparisons)
        better = sum(comparison.is_level_with_a_better_peer for comparison in comparisons)
        counts = ", ".join(f"{outcome} in {found[outcome]}" for outcome in ("ahead", "level", "behind"))
        return (
            f"On an {processor(first)}, with commit {commit(first)}, of {found.total()} "
            f"comparisons: {counts}. In {better or 'none'} of those that are level a peer's median is better by more "
            f"than 2 %; see `benchmarks/results/{report}`."
        )

    return sentence
