"""The cost of a corpus run, and processes that share a machine.

`python -m benchmarks.corpus.layer BUNDLE --output FILE` measures:

- The layer: the same documents by the same loaded model, once as the command for one file answers them and once as a
  unit of a run, in turns. The unit is small, so what it costs once weighs more than in a corpus.
- The pool: `corpus.work` by one process and by several of one thread each, by the times that its results hold. The
  share of speed is that of a process among them, over that of one that is alone: they share the memory's bandwidth. The
  efficiency is the time in which processes answer units, over the time that they are there for.

Answers are short, as random weights find no end by themselves.

The JSON holds `layer` (the `ratio` of the times), `pool` by numbers of processes, `share_of_speed_when_full`,
`unit_seconds` (of the units of a full machine) and `efficiency` (of as many processes as it has cores).
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import biogpt_onnx
from benchmarks.results_file import output_file, stamp, summarized, write_results
from biogpt_onnx import BioGPT, corpus
from biogpt_onnx.corpus.results import read_result
from biogpt_onnx.corpus.run import Run
from biogpt_onnx.corpus.working.answering import UnitAnswering
from biogpt_onnx.corpus.working.bundle_record import record_bundle
from biogpt_onnx.corpus.working.claims import Claims
from biogpt_onnx.corpus.working.tries import Tries
from biogpt_onnx.corpus.working.worker import Worker
from biogpt_onnx.files.answering import RowAnswering
from biogpt_onnx.files.reading import read_documents
from biogpt_onnx.files.records import record_of
from biogpt_onnx.files.text.json_lines import json_line
from biogpt_onnx.runtime.system.cores import num_usable_cores

UNIT_DOCUMENTS = 8
"""Documents of a unit of the pool: a batch on the CPU."""

_TASK = """\
kind = "relations"
name = "short"
statement = "the relation between {head} and {tail} exists"
relation = "CID"
head_type = "Chemical"
tail_type = "Disease"

[decoding]
max_new_tokens = 48
"""
_SENTENCES = (
    "Lithium caused a coarse tremor in two of nine elderly patients with bipolar disorder.",
    "Fatal renal failure was seen after the third cycle of cisplatin in a woman of 61 years.",
    "Cocaine-induced seizures were prevented by diazepam, but not by phenytoin or carbamazepine.",
    "Haloperidol was withdrawn, and the rigidity resolved within four days without any other drug.",
    "Serum creatinine was measured before treatment, weekly during it, and for six months after.",
    "None of the controls, who were given saline, had an event of any kind during the observation.",
    "We conclude that the risk is real but small, and that the dose should be adapted to clearance.",
)


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="a bundle of any task or none")
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    parser.add_argument("--documents", type=int, default=16, help="a multiple of 8 (default 16)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way is measured (default 3)")
    parser.add_argument("--workers", type=int, default=num_usable_cores(), help="processes of a full machine")
    options = parser.parse_args()
    made_on = stamp()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_short_task(folder)
        with biogpt_onnx.load(options.bundle) as model:
            manifest = model.manifest
            layer = measure_layer(model, folder, options.documents, options.rounds)
        print(summarized(layer))
        alone = measure_pool(options.bundle, folder, options.documents, 1)
        full = measure_pool(options.bundle, folder, options.documents * options.workers, options.workers)
    share = full["documents_a_minute_and_process"] / alone["documents_a_minute_and_process"]
    results = {
        **made_on,
        "bundle": {"precision": manifest.precision, "layers": manifest.architecture.num_layers},
        "unit_seconds": full["unit_seconds"],
        "layer": layer,
        "pool": {"1": alone, str(options.workers): full},
        "share_of_speed_when_full": round(share, 4),
        "efficiency": {str(options.workers): full["efficiency"]},
    }
    write_results(options.output, results)
    print(summarized({"pool": results["pool"], "share_of_speed_when_full": results["share_of_speed_when_full"]}))


def measure_layer(model: BioGPT, folder: Path, documents: int, rounds: int) -> dict[str, Any]:
    """Measures documents of one file, and the same as a unit of a run, in turns."""
    samples: dict[str, list[float]] = {"one_file": [], "run": []}
    _one_file(model, folder, documents)
    for number in range(rounds):
        run = prepare_short(folder / f"layer-{number}", folder, documents, documents)
        ways = {"one_file": partial(_one_file, model, folder, documents), "run": partial(_answer, model, run)}
        order = list(ways) if number % 2 else list(reversed(ways))
        for way in order:
            samples[way].append(ways[way]())
    ratio = statistics.median(samples["run"]) / statistics.median(samples["one_file"])
    extra = statistics.median(samples["run"]) - statistics.median(samples["one_file"])
    return {
        "documents": documents,
        "unit_documents": documents,
        "ratio": round(ratio, 4),
        "extra_seconds": round(extra, 4),
        "samples": {way: [round(each, 4) for each in found] for way, found in samples.items()},
    }


def measure_pool(bundle: Path, folder: Path, documents: int, workers: int) -> dict[str, Any]:
    """Measures processes of one thread each.

    Args:
        bundle: The bundle.
        folder: A folder for the run.
        documents: Number of documents.
        workers: Number of processes.
    """
    run = prepare_short(folder / f"pool-{workers}", folder, documents)
    corpus.work(run.folder, bundle, workers=workers, threads=1)
    times = _times_of_units(run)
    return {
        "processes": workers,
        "documents": documents,
        "unit_seconds": [seconds for _, seconds in times.values()],
        "documents_a_minute_and_process": round(60 * documents / sum(seconds for _, seconds in times.values()), 2),
        "efficiency": round(_share_of_time(times, workers), 4),
    }


def span_of_units(run: Run) -> float:
    """Returns the seconds from the begin of a run's first unit to the end of its last."""
    return _span(_times_of_units(run))


def _times_of_units(run: Run) -> Mapping[int, tuple[float, float]]:
    """Returns the end of each unit, in seconds since 1970, and its duration."""
    times = {}
    for unit in run.units:
        result = read_result(run, unit)
        if result is None:
            raise RuntimeError(f"unit {unit.name} has no results")
        times[unit.number] = (run.result_file(unit).stat().st_mtime, result.seconds)
    return times


def _span(times: Mapping[int, tuple[float, float]]) -> float:
    return max(end for end, _ in times.values()) - min(end - seconds for end, seconds in times.values())


def _share_of_time(times: Mapping[int, tuple[float, float]], workers: int) -> float:
    """Returns the time of units over that of processes, from the ends and the durations of units."""
    return sum(seconds for _, seconds in times.values()) / (workers * _span(times))


def write_short_task(folder: Path) -> None:
    """Writes a task with short answers, of which `prepare_short` makes runs."""
    (folder / "short.toml").write_text(_TASK, encoding="utf-8")


def prepare_short(run: Path, folder: Path, documents: int, unit_documents: int = UNIT_DOCUMENTS) -> Run:
    """Makes a run of documents of one length, which differ.

    Args:
        run: The run's folder.
        folder: The folder of `write_short_task`.
        documents: Number of documents, a multiple of `unit_documents`.
        unit_documents: Number of documents of a unit.
    """
    source = folder / f"documents-{documents}.jsonl"
    if not source.exists():
        rows = [{"id": f"d{number}", "text": _text(number)} for number in range(documents)]
        source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    corpus.prepare([source], run, folder / "short.toml", unit_documents=unit_documents)
    opened = Run.open(run)
    if any(unit.documents != unit_documents for unit in opened.units):
        raise RuntimeError(f"units are not of {unit_documents} documents: give a multiple of it")
    return opened


def _text(number: int) -> str:
    """Returns the sentences from another one on, so that texts differ and are of one length."""
    first = number % len(_SENTENCES)
    return " ".join(_SENTENCES[first:] + _SENTENCES[:first])


def _one_file(model: BioGPT, folder: Path, documents: int) -> float:
    run = folder / "task"
    if not run.exists():
        prepare_short(run, folder, documents)
    opened = Run.open(run)
    settings = opened.settings
    start = time.perf_counter()
    answering = RowAnswering(opened.task(), model, settings.reading, settings.completed)
    source = folder / f"documents-{documents}.jsonl"
    with (folder / "out.jsonl").open("w", encoding="utf-8") as output:
        output.writelines(
            json_line(record_of(row, result)) for row, result in answering.answers(read_documents(source))
        )
    return time.perf_counter() - start


def _answer(model: BioGPT, run: Run) -> float:
    start = time.perf_counter()
    claims = Claims(run)
    bundle = record_bundle(run, model, "measured")
    Worker(run, UnitAnswering(run, model), bundle, claims, Tries(run)).work(run.units)
    claims.close()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
