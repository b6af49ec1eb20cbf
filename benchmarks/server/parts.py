"""Parts of a run: what is measured of which server, in which order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.server.loading.workload import KINDS

Measure = Literal["closed", "open", "reading", "cost"]

Comparison = tuple[Measure, int, str]

WRITERS = (1, 7)
"""Texts that are written while a long prompt is read: one alone, and as many as leave one row of eight free."""


@dataclass(frozen=True)
class Part:
    """A part of a run.

    Attributes:
        measure: "closed" and "open" loops, "reading" of a long prompt beside those who write, and the "cost" of our
            server beside the runtime.
        server: its name.
        level: clients of a closed loop, arrivals a minute of an open one, or how many write.
        number: of the round.
        kind: of the requests.
    """

    measure: Measure
    server: str
    level: int
    number: int
    kind: str = "text"

    @property
    def name(self) -> str:
        """The part's name in the results."""
        return f"{self.measure} {self.kind} {self.level} {self.server} {self.number}"


@dataclass(frozen=True)
class Choice:
    """What a run measures.

    Attributes:
        servers: by name.
        measures: of `Measure`.
        kinds: of requests.
        clients: of closed loops.
        rates: arrivals a minute of open loops.
        rounds: how often everything is measured.
    """

    servers: Sequence[str]
    measures: Sequence[str]
    kinds: Sequence[str]
    clients: Sequence[int]
    rates: Sequence[int]
    rounds: int


def plan(choice: Choice, ours: Sequence[str], rows: int) -> Iterator[Part]:
    """Yields the parts in their order: of what is compared, the servers take turns.

    Args:
        choice: what is measured.
        ours: the servers whose cost is measured.
        rows: requests that a server may run at once, as many as there are clients where its cost is measured.
    """
    for number in range(choice.rounds):
        fixed = [kind for kind in choice.kinds if KINDS[kind].is_fixed]
        costs: list[Comparison] = [("cost", rows, kind) for kind in fixed]
        for server in (name for name in ours if name in choice.servers):
            for measure, level, kind in _chosen(costs, choice):
                yield Part(measure, server, level, number, kind)
        for measure, level, kind in _chosen(_compared(choice), choice):
            # Another begins each round.
            first = number % len(choice.servers)
            for server in (*choice.servers[first:], *choice.servers[:first]):
                yield Part(measure, server, level, number, kind)


def _compared(choice: Choice) -> list[Comparison]:
    return [
        *(("reading", writers, "text") for writers in WRITERS),
        *(("closed", clients, kind) for kind in choice.kinds for clients in choice.clients),
        *(("open", rate, "chat-like") for rate in choice.rates),
    ]


def _chosen(comparisons: list[Comparison], choice: Choice) -> list[Comparison]:
    return [comparison for comparison in comparisons if comparison[0] in choice.measures]
