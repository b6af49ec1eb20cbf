"""How often intervals hold what they say: `python -m benchmarks.tasks.coverage --output FILE`.

Documents are drawn at random from a source whose true rate is known, the interval is computed as reports do, and it is
counted how often the truth lies in it. Outcomes that are right or wrong need no drawing: every number of them is tried
and weighted by its probability.
"""

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np

from benchmarks.results_file import output_file, stamp, write_results
from biogpt_onnx.reporting.bootstrap import FloatArray, Resampling
from biogpt_onnx.reporting.estimates import proportion
from biogpt_onnx.reporting.rates import Metric, difference, difference_interval, estimate
from biogpt_onnx.scores.metrics.counts import f1_of_counts, ratio

RATES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
DOCUMENTS = (20, 50, 100, 200)
PAIRS = ((0.5, 0.5, 1.0), (0.9, 0.9, 0.1), (0.6, 0.5, 0.5), (0.9, 0.7, 0.3), (0.3, 0.05, 1.0), (0.99, 0.95, 0.2))
"""Rates of two systems, and the share of documents in which they are asked apart and not answer the same."""

EQUAL = 0.7
"""The rate of two systems that are equally good, for the tests."""

_MANY = 400_000

Draw = Callable[[np.random.Generator, float, int], FloatArray]


@dataclass(frozen=True)
class Source:
    """A source of documents with a known rate.

    Attributes:
        name: describes it in the table.
        draw: draws documents of a rate, [documents, quantities].
        of_sums: computes the metric.
    """

    name: str
    draw: Draw
    of_sums: Callable[[FloatArray], FloatArray]

    def metric(self, counts: FloatArray) -> Metric:
        """Returns the metric of some documents."""
        return Metric(self.name, counts, self.of_sums)

    def truth(self, rate: float) -> float:
        """Returns the metric of very many documents."""
        return self.metric(self.draw(np.random.default_rng(0), rate, _MANY)).value


@dataclass(frozen=True)
class Coverage:
    """How often an interval held.

    Attributes:
        kind: the source.
        rate: its rate, or the two systems' rates and the share of documents in which they may differ.
        documents: number of documents.
        held: the share of intervals that held the truth.
    """

    kind: str
    rate: float | tuple[float, float, float]
    documents: int
    held: float


def _outcomes(generator: np.random.Generator, rate: float, documents: int) -> FloatArray:
    right = generator.random(documents) < rate
    return np.stack([right, np.ones(documents)], axis=1).astype(np.float64)


def _facts(generator: np.random.Generator, rate: float, documents: int) -> FloatArray:
    """Draws documents of one and more facts, some of which are missed and about as many invented, more in some."""
    gold = 1 + generator.poisson(1.5, documents)
    share = generator.beta(3 * rate, 3 * (1 - rate), documents)
    hits = generator.binomial(gold, share)
    return np.stack([hits, hits + generator.poisson(gold * (1 - share)), gold], axis=1).astype(np.float64)


def _means(generator: np.random.Generator, rate: float, documents: int) -> FloatArray:
    return np.stack([f1_of_counts(_facts(generator, rate, documents)), np.ones(documents)], axis=1)


def _clusters(generator: np.random.Generator, rate: float, documents: int) -> FloatArray:
    """Draws documents of about four facts, most of which are right or wrong together."""
    stated = 1 + generator.poisson(3, documents)
    hits = generator.binomial(stated, generator.beta(rate, 1 - rate, documents))
    return np.stack([hits, stated], axis=1).astype(np.float64)


def _share(sums: FloatArray) -> FloatArray:
    return ratio(sums[..., 0], sums[..., 1])


OUTCOMES = Source("accuracy", _outcomes, _share)
FACTS = Source("micro F1", _facts, f1_of_counts)
MEANS = Source("mean of the documents' F1", _means, _share)
CLUSTERS = Source("precision, facts of a document alike", _clusters, _share)


def exact_coverage(rate: float, documents: int) -> Coverage:
    """Returns how often the interval of accuracy holds, over every number of right documents."""
    held = 0.0
    for right in range(documents + 1):
        low, high = proportion([True] * right + [False] * (documents - right)).interval or (0.0, 0.0)
        if low <= rate <= high:
            held += math.comb(documents, right) * rate**right * (1 - rate) ** (documents - right)
    return Coverage(OUTCOMES.name, rate, documents, held)


def simulated_coverage(source: Source, rate: float, documents: int, simulations: int, seed: int = 0) -> Coverage:
    """Returns how often the interval of a rate holds.

    Args:
        source: the source of documents.
        rate: its rate.
        documents: number of documents in each simulation.
        simulations: number of simulations.
        seed: seed of the documents.
    """
    generator, truth = np.random.default_rng(seed), source.truth(rate)
    held = 0
    for _ in range(simulations):
        low, high = estimate(source.metric(source.draw(generator, rate, documents))).interval or (0.0, 0.0)
        held += low <= truth <= high
    return Coverage(source.name, rate, documents, held / simulations)


def difference_coverage(
    source: Source, pair: tuple[float, float, float], documents: int, simulations: int, seed: int = 0
) -> Coverage:
    """Returns how often the interval of a difference between two systems holds.

    Args:
        source: the source of documents.
        pair: the rates of the two systems, and the share of documents in which their answers are not the same.
        documents: number of documents in each simulation.
        simulations: number of simulations.
        seed: seed of the documents.
    """
    generator = np.random.default_rng(seed)
    first, second = (source.metric(counts) for counts in _pair(source, np.random.default_rng(0), pair, _MANY))
    truth, held = first.value - second.value, 0
    for _ in range(simulations):
        counts, others = _pair(source, generator, pair, documents)
        low, high = difference_interval(source.metric(counts), source.metric(others))
        held += low <= truth <= high
    return Coverage(f"difference of {source.name}", pair, documents, held / simulations)


def false_alarms(source: Source, documents: int, simulations: int, seed: int = 0) -> float:
    """Returns how often two equally good systems have a p-value below 0.05.

    Args:
        source: the source of documents.
        documents: number of documents in each simulation.
        simulations: number of simulations.
        seed: seed of the documents.
    """
    generator, settings = np.random.default_rng(seed), Resampling(resamples=500)
    pairs = ([source.draw(generator, EQUAL, documents) for _ in range(2)] for _ in range(simulations))
    alarms = sum(difference(source.metric(one), source.metric(other), settings).p_value < 0.05 for one, other in pairs)  # noqa: PLR2004 -- the usual level
    return alarms / simulations


def main() -> None:
    """Simulates and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    parser.add_argument("--simulations", type=int, default=2000, help="of each rate and number of documents")
    options = parser.parse_args()
    results: dict[str, object] = {**stamp(), "simulations": options.simulations}
    results["coverage"] = [asdict(each) for each in _printed(_all(options.simulations))]
    results["false_alarms"] = [
        {
            "kind": source.name,
            "documents": documents,
            "share": false_alarms(source, documents, options.simulations // 4),
        }
        for source in (OUTCOMES, FACTS)
        for documents in (5, 10, *DOCUMENTS)
    ]
    write_results(options.output, results)


def _all(simulations: int) -> Iterator[Coverage]:
    for documents in DOCUMENTS:
        for rate in RATES:
            yield exact_coverage(rate, documents)
            for source in (FACTS, MEANS, CLUSTERS):
                yield simulated_coverage(source, rate, documents, simulations)
        for pair in PAIRS:
            for source in (OUTCOMES, FACTS):
                yield difference_coverage(source, pair, documents, simulations)


def _printed(found: Iterator[Coverage]) -> Iterator[Coverage]:
    for each in found:
        print(f"{each.kind}, {each.rate}, {each.documents} documents: {each.held:.1%}", flush=True)
        yield each


def _pair(
    source: Source, generator: np.random.Generator, pair: tuple[float, float, float], documents: int
) -> tuple[FloatArray, FloatArray]:
    first, second, apart = pair
    counts = source.draw(generator, first, documents)
    is_apart = generator.random(documents) < apart
    return counts, np.where(is_apart[:, np.newaxis], source.draw(generator, second, documents), counts)


if __name__ == "__main__":
    main()
