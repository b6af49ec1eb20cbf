"""Nodes of a Ray cluster, and the places for workers on them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from biogpt_onnx.corpus.working.capacity import THREADS, choose_capacity
from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.errors import ConfigError


@dataclass(frozen=True)
class Node:
    """A node of the cluster.

    Attributes:
        id: Its id in the cluster.
        cpus: Number of CPUs that it gives.
        gpus: Number of GPUs that it gives.
        memory: Bytes of memory that it gives; None if it does not say.
    """

    id: str
    cpus: int
    gpus: int
    memory: int | None


class Place(NamedTuple):
    """A place for a worker.

    Attributes:
        rank: The number of the place on its node, from 0.
        node: The id of the node.
        workers: Number of places on the node.
        cpus: Number of CPUs of the node.
    """

    rank: int
    node: str
    workers: int
    cpus: int


@dataclass(frozen=True)
class WorkerNeeds:
    """What each worker takes of its node.

    Attributes:
        manifest: The bundle's manifest, which determines the memory; None for workers that load none.
        threads: Number of threads, and of CPUs.
        gpus: Number of GPUs; 0 or 1.
        batch_size: The most documents that are decoded together; None for the default.
    """

    manifest: Manifest | None
    threads: int
    gpus: int = 0
    batch_size: int | None = None


@dataclass(frozen=True)
class ClusterCapacity:
    """The workers that a cluster has room for.

    Attributes:
        nodes: Number of nodes with workers.
        workers: Number of workers.
        threads: Number of threads of each.
    """

    nodes: int
    workers: int
    threads: int


def nodes_of(described: Iterable[Mapping[str, Any]]) -> list[Node]:
    """Returns the nodes that are alive, in the order of their ids.

    Args:
        described: What `ray.nodes()` returns.
    """
    nodes = []
    for each in described:
        resources = each["Resources"]
        memory = resources.get("memory")
        if each["Alive"]:
            nodes.append(
                Node(
                    each["NodeID"],
                    int(resources.get("CPU", 0)),
                    int(resources.get("GPU", 0)),
                    None if memory is None else int(memory),
                )
            )
    return sorted(nodes, key=lambda node: node.id)


def choose_threads(nodes: Iterable[Node], threads: int | None) -> int:
    """Returns the number of threads of each worker: that which was asked for, or what suits the smallest node.

    Raises:
        ConfigError: The number is below 1.
    """
    if threads is not None:
        if type(threads) is not int or threads < 1:
            raise ConfigError(f"threads is {threads!r}: give a whole number of 1 or more")
        return threads
    return min([THREADS, *(node.cpus for node in nodes if node.cpus)])


def places_on(nodes: Iterable[Node], needs: WorkerNeeds) -> list[Place]:
    """Returns the places for workers, the first ones of all nodes before the second ones."""
    return sorted(place for node in nodes for place in _places(node, needs))


def capacity_of(places: list[Place], workers: int | None, threads: int) -> ClusterCapacity:
    """Returns what a cluster has room for.

    Args:
        places: The places.
        workers: The most workers; None for no limit.
        threads: Number of threads of each.
    """
    taken = places[:workers]
    return ClusterCapacity(len({place.node for place in taken}), len(taken), threads)


def _places(node: Node, needs: WorkerNeeds) -> Iterator[Place]:
    number = node.cpus // needs.threads
    if needs.gpus:
        number = min(number, node.gpus // needs.gpus)
    if number and needs.manifest is not None and node.memory is not None:
        fitting = choose_capacity(
            needs.manifest,
            None,
            needs.threads,
            batch_size=needs.batch_size,
            cores=node.cpus,
            memory=node.memory,
        )
        number = min(number, fitting.workers)
    yield from (Place(rank, node.id, number, node.cpus) for rank in range(number))
