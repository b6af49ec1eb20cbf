"""Comparison of a model with its baselines, and with another model, on the same documents."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from biogpt_onnx.reporting.bootstrap import Resampling
from biogpt_onnx.reporting.estimates import Difference, Estimate
from biogpt_onnx.reporting.markdown import table
from biogpt_onnx.reporting.numbers import p_value, percent, percent_with_interval, percentage_points
from biogpt_onnx.reporting.rates import FEW_DOCUMENTS, Metric, difference, estimate
from biogpt_onnx.runtime.errors import ConfigError

_Prediction = TypeVar("_Prediction")


@dataclass(frozen=True, eq=False)
class System:
    """A model or a baseline whose predictions are scored.

    Attributes:
        name: its name in reports.
        metrics: its metrics; every system of a report has the same ones, the headline first.
    """

    name: str
    metrics: tuple[Metric, ...]


@dataclass(frozen=True)
class ComparedSystem:
    """A baseline or another model that the model is compared with.

    Attributes:
        name: its name in reports.
        measures: its metrics, by name.
        differences: the model's metrics less these, on the same documents.
    """

    name: str
    measures: dict[str, Estimate]
    differences: dict[str, Difference]


@dataclass(frozen=True)
class Comparison:
    """The metrics of a model, of its baselines and perhaps of another model.

    Attributes:
        documents: number of documents.
        resampling: settings of the intervals and tests.
        headline: name of the metric that decides.
        name: the model's name.
        measures: its metrics, by name.
        baselines: the baselines, which need no model.
        second: another model; None if there is none.
    """

    documents: int
    resampling: Resampling
    headline: str
    name: str
    measures: dict[str, Estimate]
    baselines: tuple[ComparedSystem, ...]
    second: ComparedSystem | None

    def outcome(self, other: ComparedSystem) -> str:
        """Returns "above" or "below", as the model is in the headline; "level" if that may be chance.

        It may be if the difference's interval holds 0, or its p-value is not below what the confidence leaves.
        """
        found = other.differences[self.headline]
        if found.interval is None or found.interval[0] <= 0 <= found.interval[1]:
            return "level"
        if found.p_value >= 1 - self.resampling.confidence:
            return "level"
        return "above" if found.interval[0] > 0 else "below"

    @property
    def beats_baselines(self) -> bool:
        """True if the model is above each of its baselines, and has any."""
        return bool(self.baselines) and all(self.outcome(each) == "above" for each in self.baselines)

    def sentences(self) -> str:
        """Returns the comparison in words."""
        return " ".join([self._beside_baselines(), *self._beside_second()])

    def to_fields(self) -> dict[str, Any]:
        """Returns the fields of a JSON report: the comparison in words, its verdict, a caution, and all numbers.

        `beats_baselines` is None if there are no baselines.
        """
        return {
            "summary": self.sentences(),
            "beats_baselines": self.beats_baselines if self.baselines else None,
            "caution": self.caution,
            "standing": dataclasses.asdict(self),
        }

    @property
    def caution(self) -> str | None:
        """A warning if there are fewer documents than intervals are checked for; None if there are enough."""
        if self.documents >= FEW_DOCUMENTS:
            return None
        return (
            f"{self.documents:,} {'document says' if self.documents == 1 else 'documents say'} little of others: "
            f"intervals are checked from {FEW_DOCUMENTS} documents on, and on fewer than 6 no difference can be told "
            "from chance"
        )

    def tables(self) -> Iterator[str]:
        """Yields the table of all metrics and, if there are other systems, that of the differences, in Markdown.

        A caution precedes them if documents are few.
        """
        if self.caution:
            yield f"**Caution:** {self.caution}."
        others = [*self.baselines, *([self.second] if self.second else [])]
        rows = [(self.name, self.measures), *((other.name, other.measures) for other in others)]
        yield table(
            ["system", *self.measures],
            [[name, *(percent_with_interval(measures[each]) for each in self.measures)] for name, measures in rows],
        )
        if others:
            yield table(
                [f"{self.name} less", *(title for each in self.measures for title in (each, "p"))],
                [[other.name, *self._difference_cells(other)] for other in others],
            )

    def method(self) -> str:
        """Returns sentences on how intervals and tests were computed."""
        confidence = f"{self.resampling.confidence:.0%}"
        return (
            f"{self.documents:,} documents; in brackets the {confidence} interval, in which documents vary and not "
            "single facts. p is the share of exchanges of the two systems' results, document by document, after which "
            f"they differ as much: of all exchanges where few documents differ, else of {self.resampling.resamples:,} "
            "drawn ones."
        )

    def _difference_cells(self, other: ComparedSystem) -> Iterator[str]:
        for name in self.measures:
            found = other.differences[name]
            yield percentage_points(found)
            yield p_value(found.p_value)

    def _beside_baselines(self) -> str:
        measured = f"The {self.headline} of {self.name} is {percent(self.measures[self.headline].value)}"
        if not self.baselines:
            return f"{measured}; it is held against no baseline."
        beaten = sum(self.outcome(each) == "above" for each in self.baselines)
        outcomes = "; ".join(map(self._beside, self.baselines))
        return f"{measured}, which {_beats(beaten, len(self.baselines))}: {outcomes}."

    def _beside_second(self) -> Iterator[str]:
        if self.second is not None:
            yield f"It is {self._beside(self.second)}."

    def _beside(self, other: ComparedSystem) -> str:
        words = {"above": "above", "below": "below", "level": "not to be told apart from"}
        found = other.differences[self.headline]
        value = percent(other.measures[self.headline].value)
        return f"{words[self.outcome(other)]} {other.name} with {value}, by {percentage_points(found)}"


def compare_systems(
    model: System, baselines: Sequence[System], second: System | None, resampling: Resampling | None = None
) -> Comparison:
    """Computes the metrics of all systems and the model's differences from the others.

    Args:
        model: the model.
        baselines: its baselines.
        second: another model; None for none.
        resampling: settings of the intervals and tests; None for the defaults.

    Raises:
        ConfigError: the systems are of different numbers of documents, or two have the same name.
    """
    resampling = resampling or Resampling()
    names = [model.name, *(each.name for each in baselines), *([second.name] if second else [])]
    if len(set(names)) < len(names):
        raise ConfigError(f"two systems of a report have the same name: give each its own of {', '.join(names)}")
    return Comparison(
        documents=len(model.metrics[0].counts),
        resampling=resampling,
        headline=model.metrics[0].name,
        name=model.name,
        measures=_estimates(model, resampling),
        baselines=tuple(_compared(model, each, resampling) for each in baselines),
        second=_compared(model, second, resampling) if second else None,
    )


def models_by_name(
    names: tuple[str, str], predictions: Sequence[_Prediction], second: Sequence[_Prediction] | None
) -> dict[str, Sequence[_Prediction]]:
    """Returns the predictions of one or two models by the models' names.

    Args:
        names: the names of the two.
        predictions: the first model's.
        second: the other model's; None if there is none.

    Raises:
        ConfigError: the two have the same name.
    """
    if second is None:
        return {names[0]: predictions}
    if names[0] == names[1]:
        raise ConfigError(f"two models have the name {names[0]!r}: give each its own")
    return {names[0]: predictions, names[1]: second}


def _estimates(system: System, resampling: Resampling) -> dict[str, Estimate]:
    return {metric.name: estimate(metric, resampling) for metric in system.metrics}


def _compared(model: System, other: System, resampling: Resampling) -> ComparedSystem:
    named = {metric.name: metric for metric in other.metrics}
    differences = {metric.name: difference(metric, named[metric.name], resampling) for metric in model.metrics}
    return ComparedSystem(other.name, _estimates(other, resampling), differences)


def _beats(beaten: int, baselines: int) -> str:
    if baselines == 1:
        return "beats its baseline" if beaten else "does not beat its baseline"
    if beaten == baselines:
        return "beats all of its baselines"
    return f"beats {beaten or 'none'} of its {baselines} baselines"


class ComparisonReport(Protocol):
    """A report, which is a dataclass, of a task's comparison and what else the task tells."""

    @property
    def task(self) -> str:
        """The task's name."""
        ...

    @property
    def comparison(self) -> Comparison:
        """The comparison of models and baselines."""
        ...


def report_fields(report: ComparisonReport) -> dict[str, Any]:
    """Returns a report as fields for JSON: the task, those of the comparison, and the report's own."""
    fields = dataclasses.asdict(cast("Any", report))
    del fields["comparison"]
    return {"task": report.task} | report.comparison.to_fields() | fields
