"""Measuring of a bundle's speed on some documents of a run, by one process alone and by as many as fill the machine."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from biogpt_onnx.corpus.preparing.cutting import cut, write_units
from biogpt_onnx.corpus.results import read_result
from biogpt_onnx.corpus.run import FOLDERS, INDEX_FILE, RUN_FILE, TASK_FILE, UNITS_FOLDER, Run, digest_of
from biogpt_onnx.corpus.units import characters_of, read_unit
from biogpt_onnx.corpus.work import chosen_capacity, work
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.options import Device

SAMPLE_DOCUMENTS = 100
"""The number of documents that are measured by default: some minutes with BioGPT on two cores."""

_UNITS_A_WORKER = 6


@dataclass(frozen=True)
class Speeds:
    """Speeds of one worker, in documents with a result a minute.

    Attributes:
        alone: While no other worker runs.
        together: While as many run as fill the machine.
        workers: Number of these.
        threads: Number of threads of each.
        with_text: The share of the documents that have a result.
    """

    alone: float
    together: float
    workers: int
    threads: int
    with_text: float


def measure(  # noqa: PLR0913 -- what, by whom, and how
    run: Run,
    bundle: str | os.PathLike[str],
    *,
    sample_documents: int = SAMPLE_DOCUMENTS,
    workers: int | None = None,
    threads: int | None = None,
    device: Device = "auto",
    expect: str | None = None,
    batch_size: int | None = None,
    check_memory: bool = True,
    notice: Callable[[str], None] = lambda _: None,
) -> Speeds:
    """Measures the speed of a bundle on documents from all parts of a run, of which a copy is answered.

    Args:
        run: The run, which is not changed.
        bundle: A bundle of its task.
        sample_documents: Number of documents.
        workers: Number of workers that fill the machine; None for what `work` chooses.
        threads: Number of threads of each; None for what `work` chooses.
        device: Where the bundle runs.
        expect: Digest that the bundle must have; each process reads and compares every file.
        batch_size: The most documents that are decoded together; None for what is best on the device.
        check_memory: False to load the bundle even where the memory of a process seems too small; see `load`.
        notice: Called with what is being measured.

    Raises:
        ConfigError: A number is bad, or no document has a result.
        BioGptError: The bundle cannot be used.
    """
    if type(sample_documents) is not int or sample_documents < 1:
        raise ConfigError(f"sample_documents is {sample_documents!r}: give a whole number of 1 or more")
    capacity = chosen_capacity(bundle, workers, threads, device=device, batch_size=batch_size, expect=expect)
    options = {
        "threads": capacity.threads,
        "device": device,
        "expect": expect,
        "batch_size": batch_size,
        "check_memory": check_memory,
    }
    with tempfile.TemporaryDirectory(prefix="biogpt-onnx-estimate-") as folder:
        notice(f"measuring one worker of {capacity.threads} threads alone on {sample_documents:,} documents")
        first = _sample(run, Path(folder) / "alone", sample_documents, 1)
        work(first, bundle, workers=1, **options)  # type: ignore[arg-type] # by name
        alone, with_text = _speed(first, 1)
        together = alone
        if capacity.workers > 1:
            notice(f"measuring {capacity.workers} workers together on {sample_documents:,} documents")
            second = _sample(run, Path(folder) / "together", sample_documents, capacity.workers)
            work(second, bundle, workers=capacity.workers, **options)  # type: ignore[arg-type] # by name
            together, _ = _speed(second, capacity.workers)
    return Speeds(alone, together, capacity.workers, capacity.threads, with_text)


def _sample(run: Run, folder: Path, number: int, workers: int) -> Path:
    """Makes a run of some documents of another one, in small units."""
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    lines = list(_lines(run, number))
    characters = sum(size for _, size in lines)
    units = cut(lines, len(lines), characters, max(1, len(lines) // (_UNITS_A_WORKER * workers)))
    num_units = sum(1 for _ in write_units(units, folder / UNITS_FOLDER, folder / INDEX_FILE))
    if (run.folder / TASK_FILE).exists():
        (folder / TASK_FILE).write_bytes((run.folder / TASK_FILE).read_bytes())
    description = {
        **run.description,
        "documents": len(lines),
        "characters": characters,
        "units": num_units,
        "units_sha256": digest_of(folder / INDEX_FILE),
    }
    (folder / RUN_FILE).write_text(json.dumps(description, ensure_ascii=False), encoding="utf-8", newline="\n")
    return folder


def _lines(run: Run, number: int) -> Iterator[tuple[str, int]]:
    """Yields the lines of documents from units that lie evenly in a run, with their numbers of characters."""
    units = run.units
    count = min(number, len(units))
    chosen = [units[place * len(units) // count] for place in range(count)]
    left = number
    for place, unit in enumerate(chosen):
        rows = read_unit(run, unit)
        share = -(-left // (len(chosen) - place))
        lines = run.unit_file(unit).read_text(encoding="utf-8").split("\n")
        taken = list(islice(zip(lines, rows, strict=False), share))
        left -= len(taken)
        yield from ((f"{line}\n", characters_of(row.row)) for line, row in taken)


def _speed(folder: Path, workers: int) -> tuple[float, float]:
    """Returns the documents with a result that one worker answers in a minute, and their share of all."""
    run = Run.open(folder)
    results = [result for unit in run.units if (result := read_result(run, unit)) is not None]
    documents = sum(result.documents for result in results)
    errors = sum(result.num_errors for result in results)
    # The last units are answered while other workers have none any more.
    full = results[:-workers] if workers > 1 and len(results) > 2 * workers else results
    answered = sum(result.documents - result.num_errors for result in full)
    seconds = sum(result.seconds for result in full)
    if not answered or not seconds:
        raise ConfigError("no document of the sample has a result, so there is no speed: measure more of them")
    return 60 * answered / seconds, 1 - errors / documents
