"""Estimating how long a corpus takes, from a run's results, from a short measurement, or from numbers of one's own."""

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from biogpt_onnx.corpus.results import read_result
from biogpt_onnx.corpus.run import Run
from biogpt_onnx.corpus.working.measuring import SAMPLE_DOCUMENTS, Speeds, measure
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.options import Device

PUBMED_DOCUMENTS = 37_000_000
"""About the number of citations of PubMed."""

FORMULA = "hours = D a / (60 d W c E)"

Origin = Literal["given", "assumed", "of the run", "of its results", "measured", "within d"]
"""The origin of a factor; "within d" for one that the measured speed already holds."""


@dataclass(frozen=True)
class Factor:
    """A factor of an estimate.

    Attributes:
        value: The number.
        origin: Its origin.
    """

    value: float
    origin: Origin


@dataclass(frozen=True)
class Estimate:
    """The time that a corpus takes: `hours` = D a / (60 d W c E).

    Attributes:
        documents: D, the number of documents.
        with_text: a, the share of them that have a text to be read, from 0 to 1.
        speed: d, the documents that one worker answers in a minute while no other works on its machine.
        workers: W, the number of workers on all machines.
        full_node: c, the share of that speed that a worker has while its machine is full of workers.
        efficiency: E, the share of their time in which the scheduler keeps workers busy.
    """

    documents: Factor
    with_text: Factor
    speed: Factor
    workers: Factor
    full_node: Factor
    efficiency: Factor

    @property
    def worker_hours(self) -> float:
        """Hours of all workers together."""
        answered = self.documents.value * self.with_text.value
        return answered / (60 * self.speed.value * self.full_node.value * self.efficiency.value)

    @property
    def hours(self) -> float:
        """Hours from the beginning to the end."""
        return self.worker_hours / self.workers.value

    def to_dict(self) -> dict[str, Any]:
        """Returns the estimate as JSON values."""
        return {
            "formula": FORMULA,
            "factors": asdict(self),
            "hours": round(self.hours, 3),
            "worker_hours": round(self.worker_hours, 3),
        }


def estimate(  # noqa: PLR0913 -- the factors, and how they are measured
    run: str | os.PathLike[str] | None = None,
    bundle: str | os.PathLike[str] | None = None,
    *,
    documents: int | None = None,
    with_text: float | None = None,
    speed: float | None = None,
    workers: int | None = None,
    full_node: float | None = None,
    efficiency: float | None = None,
    sample_documents: int = SAMPLE_DOCUMENTS,
    node_workers: int | None = None,
    threads: int | None = None,
    device: Device = "auto",
    expect: str | None = None,
    batch_size: int | None = None,
    check_memory: bool = True,
    notice: Callable[[str], None] = lambda _: None,
) -> Estimate:
    """Estimates the hours that documents take by D a / (60 d W c E); see `Estimate`.

    A factor that is not given is taken from the run: the documents that are left, and the speed of those that are done.
    With a bundle, some of the run's documents are answered on this machine, first by one worker alone and then by as
    many as fill it; the run is not changed. What is known from neither is assumed: all of PubMed, all with a text, one
    worker, and nothing lost on a full machine or by a scheduler.

    Args:
        run: The folder of a run; None for none.
        bundle: A bundle of its task, which is measured; None to take the speed from the run's results.
        documents: D.
        with_text: a, from 0 to 1.
        speed: d, in documents a minute.
        workers: W.
        full_node: c, from 0 to 1.
        efficiency: E, from 0 to 1.
        sample_documents: The number of documents that are measured.
        node_workers: The number of workers that fill this machine; None for what `work` chooses.
        threads: The number of threads of each; None for what `work` chooses.
        device: Where the bundle runs.
        expect: Digest that the bundle must have, "sha256:" and 64 hexadecimal digits; each process reads and compares
            every file.
        batch_size: The most documents that are decoded together; None for what is best on the device.
        check_memory: False to load the bundle even where the memory of a process seems too small; see `load`.
        notice: Called with what is being measured.

    Raises:
        ConfigError: A factor is out of its range, or the speed is neither given nor known.
        BioGptError: The run or the bundle cannot be used.
    """
    _check(documents, with_text, speed, workers, full_node, efficiency)
    opened = None if run is None else Run.open(run)
    if opened is None and bundle is not None:
        raise ConfigError("a bundle is measured on the documents of a run: give one, that `corpus prepare` made")
    if expect is not None and (bundle is None or speed is not None):
        raise ConfigError("a digest is expected of a bundle, and none is measured: give a run, a bundle and no speed")
    if opened is None:
        known = None
    elif bundle is not None and speed is None:
        known = _Known.of_speeds(
            measure(
                opened,
                bundle,
                sample_documents=sample_documents,
                workers=node_workers,
                threads=threads,
                device=device,
                expect=expect,
                batch_size=batch_size,
                check_memory=check_memory,
                notice=notice,
            )
        )
    else:
        known = _Known.of_results(opened)
    if speed is None and (known is None or known.speed is None):
        if opened is None:
            raise ConfigError(
                "the speed is not known: give it, or a run with results, or a run and a bundle to measure"
            )
        raise ConfigError(
            f"the speed is not known, as {opened.folder} has no results yet: give it, or a bundle to measure"
        )
    left = None if opened is None else Factor(_left(opened), "of the run")
    return Estimate(
        _first(documents, left, Factor(PUBMED_DOCUMENTS, "assumed")),
        _first(with_text, None if known is None else known.with_text, Factor(1.0, "assumed")),
        _first(speed, None if known is None else known.speed, Factor(1.0, "assumed")),
        _first(workers, None, Factor(1, "assumed")),
        # A speed that is given is taken for that of a worker alone.
        _first(full_node, None if known is None or speed is not None else known.full_node, Factor(1.0, "assumed")),
        _first(efficiency, None, Factor(1.0, "assumed")),
    )


@dataclass(frozen=True)
class _Known:
    """Factors that a run or a measurement gives."""

    with_text: Factor | None
    speed: Factor | None
    full_node: Factor | None

    @classmethod
    def of_speeds(cls, speeds: Speeds) -> "_Known":
        return cls(
            Factor(speeds.with_text, "measured"),
            Factor(speeds.alone, "measured"),
            Factor(min(1.0, speeds.together / speeds.alone), "measured"),
        )

    @classmethod
    def of_results(cls, run: Run) -> "_Known":
        """Takes the speed of the units that are done, on machines that were as full as they were."""
        documents, errors, seconds = 0, 0, 0.0
        for unit in run.units:
            result = read_result(run, unit)
            if result is not None:
                documents, errors = documents + result.documents, errors + result.num_errors
                seconds += result.seconds
        if documents == errors or not seconds:
            return cls(None, None, None)
        return cls(
            Factor(1 - errors / documents, "of its results"),
            Factor(60 * (documents - errors) / seconds, "of its results"),
            Factor(1.0, "within d"),
        )


def _left(run: Run) -> int:
    return sum(unit.documents for unit in run.units if not run.result_file(unit).exists())


def _first(given: float | None, known: Factor | None, assumed: Factor) -> Factor:
    return Factor(given, "given") if given is not None else known or assumed


def _check(  # noqa: PLR0913, PLR0917 -- the factors
    documents: int | None,
    with_text: float | None,
    speed: float | None,
    workers: int | None,
    full_node: float | None,
    efficiency: float | None,
) -> None:
    for name, whole, least in (("documents", documents, 0), ("workers", workers, 1)):
        if whole is not None and (type(whole) is not int or whole < least):
            raise ConfigError(f"{name} is {whole!r}: give a whole number of {least} or more")
    for name, share in (("with_text", with_text), ("full_node", full_node), ("efficiency", efficiency)):
        if share is not None and not 0 < share <= 1:
            raise ConfigError(f"{name} is {share!r}: give a share above 0 and up to 1")
    if speed is not None and not 0 < speed < float("inf"):
        raise ConfigError(f"speed is {speed!r}: give a number of documents a minute above 0")
