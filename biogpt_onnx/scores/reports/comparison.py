"""Where a model stands beside what needs no model, and beside another model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores.markdown import in_points, percent, probability, table, with_interval
from biogpt_onnx.scores.metric import Metric
from biogpt_onnx.scores.resampling import Difference, Estimate, Resampling, differences, estimates

_Prediction = TypeVar("_Prediction")


@dataclass(frozen=True, eq=False)
class System:
    """Something whose predictions are scored.

    Attributes:
        name: what it is called in a report.
        metrics: the same of each system of a report, the one that decides first.
    """

    name: str
    metrics: tuple[Metric, ...]


@dataclass(frozen=True)
class Rival:
    """What a model is held against.

    Attributes:
        name: what it is called.
        measures: its metrics, by name.
        differences: the model's metrics less these, on the same documents.
    """

    name: str
    measures: dict[str, Estimate]
    differences: dict[str, Difference]


@dataclass(frozen=True)
class Standing:
    """A model's metrics, its baselines' and perhaps another model's.

    Attributes:
        documents: how many all of them were given.
        resampling: how intervals and tests drew from these.
        headline: the metric that decides.
        name: what the model is called.
        measures: its metrics, by name.
        baselines: what needs no model.
        second: another model; None where there is none.
    """

    documents: int
    resampling: Resampling
    headline: str
    name: str
    measures: dict[str, Estimate]
    baselines: tuple[Rival, ...]
    second: Rival | None

    def outcome(self, rival: Rival) -> str:
        """Whether the model is "above" or "below" a rival in the headline, or "level": its interval then reaches 0."""
        interval = rival.differences[self.headline].interval
        if interval is None or interval[0] <= 0 <= interval[1]:
            return "level"
        return "above" if interval[0] > 0 else "below"

    @property
    def beats_baselines(self) -> bool:
        """Whether the model is above each of its baselines, and has any."""
        return bool(self.baselines) and all(self.outcome(rival) == "above" for rival in self.baselines)

    def sentences(self) -> str:
        """What the numbers say."""
        return " ".join([self._beside_baselines(), *self._beside_second()])

    def summary(self) -> dict[str, Any]:
        """What the numbers say, and whether the model beats its baselines; None where there are none."""
        return {"summary": self.sentences(), "beats_baselines": self.beats_baselines if self.baselines else None}

    def tables(self) -> Iterator[str]:
        """All numbers, and below them the differences, in Markdown."""
        rivals = [*self.baselines, *([self.second] if self.second else [])]
        rows = [(self.name, self.measures), *((rival.name, rival.measures) for rival in rivals)]
        yield table(
            ["system", *self.measures],
            [[name, *(with_interval(measures[each]) for each in self.measures)] for name, measures in rows],
        )
        if rivals:
            yield table(
                [f"{self.name} less", *(title for each in self.measures for title in (each, "p"))],
                [[rival.name, *self._difference_cells(rival)] for rival in rivals],
            )

    def method(self) -> str:
        """How the numbers were made sure of."""
        confidence = f"{self.resampling.confidence:.0%}"
        return (
            f"{self.documents:,} documents; in brackets the {confidence} interval over {self.resampling.resamples:,} "
            "draws of documents with replacement. Differences are on the same draws, and p is that of the paired "
            "bootstrap test for both directions."
        )

    def _difference_cells(self, rival: Rival) -> Iterator[str]:
        for name in self.measures:
            found = rival.differences[name]
            yield in_points(found)
            yield probability(found.p_value)

    def _beside_baselines(self) -> str:
        measured = f"The {self.headline} of {self.name} is {percent(self.measures[self.headline].value)}"
        if not self.baselines:
            return f"{measured}; it is held against no baseline."
        beaten = sum(self.outcome(rival) == "above" for rival in self.baselines)
        outcomes = "; ".join(map(self._beside, self.baselines))
        return f"{measured}, which {_beats(beaten, len(self.baselines))}: {outcomes}."

    def _beside_second(self) -> Iterator[str]:
        if self.second is not None:
            yield f"It is {self._beside(self.second)}."

    def _beside(self, rival: Rival) -> str:
        words = {"above": "above", "below": "below", "level": "not to be told apart from"}
        found = rival.differences[self.headline]
        value = percent(rival.measures[self.headline].value)
        return f"{words[self.outcome(rival)]} {rival.name} with {value}, by {in_points(found)}"


def standing(
    model: System, baselines: Sequence[System], second: System | None, resampling: Resampling | None = None
) -> Standing:
    """Computes all numbers.

    Raises:
        ConfigError: the systems are not of the same documents, or two have the same name.
    """
    resampling = resampling or Resampling()
    names = [model.name, *(each.name for each in baselines), *([second.name] if second else [])]
    if len(set(names)) < len(names):
        raise ConfigError(f"two systems of a report have the same name: give each its own of {', '.join(names)}")
    return Standing(
        documents=len(model.metrics[0].counts),
        resampling=resampling,
        headline=model.metrics[0].name,
        name=model.name,
        measures=estimates(model.metrics, resampling),
        baselines=tuple(_rival(model, each, resampling) for each in baselines),
        second=_rival(model, second, resampling) if second else None,
    )


def models_by_name(
    names: tuple[str, str], predictions: Sequence[_Prediction], second: Sequence[_Prediction] | None
) -> dict[str, Sequence[_Prediction]]:
    """The predictions of one or two models, by the models' names.

    Raises:
        ConfigError: the two have the same name.
    """
    if second is None:
        return {names[0]: predictions}
    if names[0] == names[1]:
        raise ConfigError(f"two models have the name {names[0]!r}: give each its own")
    return {names[0]: predictions, names[1]: second}


def _rival(model: System, other: System, resampling: Resampling) -> Rival:
    return Rival(
        other.name,
        estimates(other.metrics, resampling),
        differences(model.metrics, other.metrics, resampling),
    )


def _beats(beaten: int, baselines: int) -> str:
    if baselines == 1:
        return "beats its baseline" if beaten else "does not beat its baseline"
    if beaten == baselines:
        return "beats all of its baselines"
    return f"beats {beaten or 'none'} of its {baselines} baselines"
