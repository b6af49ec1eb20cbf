"""A pool of workers on a Ray cluster, which answer the units of a run; it follows nodes that join and leave."""

import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from biogpt_onnx.corpus.cluster.actor import Load, Order, UnitActor, load_bundle
from biogpt_onnx.corpus.cluster.nodes import Node, Place, WorkerNeeds, nodes_of, places_on
from biogpt_onnx.corpus.run import Run, Unit
from biogpt_onnx.corpus.working.claims import Claims
from biogpt_onnx.corpus.working.pool import TICK, PoolEvent
from biogpt_onnx.corpus.working.tries import Tries
from biogpt_onnx.corpus.working.worker import POLL_SECONDS
from biogpt_onnx.runtime.errors import BioGptError

_NODES_SECONDS = 5.0
_MOST_EARLY_ENDS = 3
_PATIENCE_SECONDS = 60.0
_TICK_SECONDS = 0.5


@dataclass(frozen=True)
class PoolPlan:
    """What a pool on a cluster is to do.

    Attributes:
        run: The run.
        units: The units to answer.
        tries: The tries of units.
        order: What each worker is told, but for its place; see `UnitActor.open`.
        needs: What each worker takes of its node.
        workers: The most workers; None for as many as the cluster has room for.
        load: Loads what answers units.
    """

    run: Run
    units: Sequence[Unit]
    tries: Tries
    order: Order
    needs: WorkerNeeds
    workers: int | None = None
    load: Load = load_bundle


@contextmanager
def running_on_ray(ray: Any, plan: PoolPlan) -> Iterator[Iterator[PoolEvent]]:
    """Starts workers on a cluster, and ends them with the block.

    Workers that are asked to end finish the batch that they are answering, and leave the run as it can be continued.

    Args:
        ray: The module `ray`, connected.
        plan: What is to be done.

    Yields:
        The events of all workers, until each unit has a result or is set aside. Besides those that `Worker` reports,
        but for "begun" and "answered", there are "ready", "died", with "how", for a worker that is replaced if there
        is room, and `TICK` where nothing happens.
    """
    pool = _Pool(ray, plan)
    try:
        yield pool.events()
    finally:
        pool.end()


@dataclass
class _Member:
    """A worker.

    Attributes:
        number: Its number in the pool.
        place: Its place.
        actor: Ray's handle of it.
        holder: Its host and its process, as claims and tries name them; None until it is ready.
        unit: The unit that it is answering.
    """

    number: int
    place: Place
    actor: Any
    holder: Mapping[str, Any] | None = None
    unit: Unit | None = None


@dataclass
class _Waiting:
    """Units that wait for a worker: at once, or for some time as other processes have claimed them."""

    ready: deque[Unit]
    later: deque[tuple[float, Unit]] = field(default_factory=deque)

    def pop(self) -> Unit | None:
        while self.later and self.later[0][0] <= time.monotonic():
            self.ready.append(self.later.popleft()[1])
        return self.ready.popleft() if self.ready else None

    def put_off(self, unit: Unit) -> None:
        self.later.append((time.monotonic() + POLL_SECONDS, unit))

    def __len__(self) -> int:
        return len(self.ready) + len(self.later)


class _Pool:
    def __init__(self, ray: Any, plan: PoolPlan) -> None:
        self._ray, self._plan = ray, plan
        self._waiting = _Waiting(deque(plan.units))
        self._calls: dict[Any, _Member] = {}
        self._members: dict[tuple[str, int], _Member] = {}
        self._idle: deque[_Member] = deque()
        self._early_ends: Counter[tuple[str, int]] = Counter()
        self._not_before: dict[tuple[str, int], float] = {}
        self._num_started = 0
        self._next_look = 0.0
        self._claims = Claims(plan.run)

    def events(self) -> Iterator[PoolEvent]:
        """Yields events until nothing is left to do about any unit.

        Raises:
            BioGptError: A worker reported an error, or died several times in a row before it was ready, or the cluster
                is lost.
        """
        try:
            yield from self._events()
        except self._ray.exceptions.RayError as error:
            raise BioGptError(f"the cluster is lost: {_last_line(error)}; the same call goes on later") from error

    def _events(self) -> Iterator[PoolEvent]:
        while self._num_unsettled():
            self._grow()
            self._give()
            if not self._calls:
                # There is no node, or others have claimed all units.
                time.sleep(_TICK_SECONDS)
                yield TICK
                continue
            ended, _ = self._ray.wait(list(self._calls), timeout=_TICK_SECONDS)
            if not ended:
                yield TICK
            for call in ended:
                yield from self._ended(call)

    def end(self) -> None:
        """Asks all workers to end, waits for those that are answering, and ends them."""
        answering = [call for call, member in self._calls.items() if member.unit is not None]
        try:
            for call in answering:
                self._ray.cancel(call)
            if answering:
                self._ray.wait(answering, num_returns=len(answering), timeout=_PATIENCE_SECONDS)
        finally:
            for member in self._members.values():
                self._kill(member)
            self._claims.close()

    def _num_unsettled(self) -> int:
        return len(self._waiting) + sum(1 for member in self._members.values() if member.unit is not None)

    def _grow(self) -> None:
        """Starts workers at free places, as long as there are units for them."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + _NODES_SECONDS
        places = places_on(self._nodes(), self._plan.needs)
        most = self._num_unsettled() if self._plan.workers is None else min(self._plan.workers, self._num_unsettled())
        for place in places:
            if len(self._members) >= most:
                return
            name = place.node, place.rank
            if name not in self._members and self._not_before.get(name, 0.0) <= time.monotonic():
                self._start(place)

    def _nodes(self) -> list[Node]:
        return nodes_of(self._ray.nodes())

    def _start(self, place: Place) -> None:
        needs, strategies = self._plan.needs, self._ray.util.scheduling_strategies
        made = self._ray.remote(UnitActor).options(
            num_cpus=needs.threads,
            num_gpus=needs.gpus,
            scheduling_strategy=strategies.NodeAffinitySchedulingStrategy(node_id=place.node, soft=False),
        )
        member = _Member(self._num_started, place, made.remote(self._plan.load, _is_cancelled))
        self._num_started += 1
        self._members[place.node, place.rank] = member
        order = {**self._plan.order, "rank": place.rank, "workers": place.workers, "cpus": place.cpus}
        self._calls[member.actor.open.remote(order)] = member

    def _give(self) -> None:
        """Gives units to workers that have none."""
        while self._idle:
            unit = self._waiting.pop()
            if unit is None:
                return
            member = self._idle.popleft()
            member.unit = unit
            self._calls[member.actor.answer.remote(unit.number)] = member

    def _ended(self, call: Any) -> Iterator[PoolEvent]:
        member = self._calls.pop(call)
        try:
            value = self._ray.get(call)
        except self._ray.exceptions.RayError as error:
            yield self._died(member, error)
            return
        if "error" in value:
            raise BioGptError(value["error"] if member.unit is not None else f"{value['host']}: {value['error']}")
        if member.unit is None:
            member.holder = value
            del self._early_ends[member.place.node, member.place.rank]
            yield PoolEvent(member.number, {"event": "ready"})
        else:
            if not value["settled"]:
                self._try_again(member.unit, value["events"])
            member.unit = None
            yield from (PoolEvent(member.number, event) for event in value["events"])
        self._idle.append(member)

    def _try_again(self, unit: Unit, events: Sequence[Mapping[str, Any]]) -> None:
        if any(event["event"] == "failed" for event in events):
            self._waiting.ready.append(unit)
        else:
            self._waiting.put_off(unit)

    def _died(self, member: _Member, error: Exception) -> PoolEvent:
        """Has the unit of a worker that died tried again, and its place taken by another one.

        Raises:
            BioGptError: It is the third one in a row that died there before it was ready.
        """
        place = member.place.node, member.place.rank
        self._kill(member)
        del self._members[place]
        self._next_look = 0.0
        if member.holder is None:
            self._ended_early(place, error)
        elif member.unit is not None:
            self._plan.tries.confirm(member.unit, member.holder)
            self._claims.abandon(member.unit, member.holder)
            self._waiting.ready.append(member.unit)
        return PoolEvent(member.number, {"event": "died", "how": "ended suddenly, or was lost with its node,"})

    def _ended_early(self, place: tuple[str, int], error: Exception) -> None:
        # A node that is about to be given up may be named for some time.
        self._not_before[place] = time.monotonic() + _NODES_SECONDS
        if any(node.id == place[0] for node in self._nodes()):
            self._early_ends[place] += 1
        if self._early_ends[place] >= _MOST_EARLY_ENDS:
            raise BioGptError(
                f"a worker on the node {place[0]} ended {_MOST_EARLY_ENDS} times before it could work: "
                f"{_last_line(error)}"
            )

    def _kill(self, member: _Member) -> None:
        with suppress(self._ray.exceptions.RayError, ValueError):
            self._ray.kill(member.actor)


def _is_cancelled() -> bool:
    """Returns True if the call that this worker is answering was cancelled."""
    import ray  # noqa: PLC0415 -- runs in a worker of Ray alone

    return bool(ray.get_runtime_context().is_canceled())


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
