"""Metrics of several replicas behind one address, of which any may be asked for the metrics of all."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from time import monotonic

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from biogpt_onnx.server.observation.metrics import Metrics

REPLICA_LABEL = "replica"
"""The label that tells the metrics of replicas apart."""

KEPT_SECONDS = 15.0
"""Seconds after which the metrics of a replica that brings no new ones are dropped."""


class MetricsBoard:
    """The newest metrics of each replica.

    Args:
        clock: returns a time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._texts: dict[str, tuple[float, str]] = {}

    def exchange(self, replica: str, text: str) -> dict[str, str]:
        """Takes the metrics of a replica; returns those of the others, by their names.

        Args:
            replica: name of the replica.
            text: its metrics, in Prometheus' text format.
        """
        now = self._clock()
        self._texts[replica] = (now, text)
        self._texts = {name: known for name, known in self._texts.items() if now - known[0] <= KEPT_SECONDS}
        return {name: known for name, (_, known) in self._texts.items() if name != replica}


class ReplicaMetrics(Metrics):
    """The metrics of a replica, whose text has those of the other replicas too.

    Attributes:
        others: metrics of the other replicas, in Prometheus' text format, by their names.

    Args:
        model_name: label of all that concerns the model.
        replica: name of the replica.
    """

    def __init__(self, model_name: str, replica: str) -> None:
        super().__init__(model_name)
        self._replica = replica
        self.others: Mapping[str, str] = {}

    def own_text(self) -> str:
        """Returns the metrics of this replica alone."""
        return super().text().decode("utf-8")

    def text(self) -> bytes:
        """Returns the metrics of all replicas in Prometheus' text format, each with the label `replica`."""
        texts = {**self.others, self._replica: self.own_text()}
        registry = CollectorRegistry()
        registry.register(_Families(_joined(texts)))
        return generate_latest(registry)


def _joined(texts: Mapping[str, str]) -> list[Metric]:
    """Returns the metrics of all texts, with the name of each text as a label."""
    joined: dict[str, Metric] = {}
    for replica, text in sorted(texts.items()):
        for family in text_string_to_metric_families(text):
            target = joined.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            for sample in family.samples:
                target.add_sample(sample.name, {**sample.labels, REPLICA_LABEL: replica}, sample.value)
    return list(joined.values())


class _Families(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics."""
        return iter(self._families)
