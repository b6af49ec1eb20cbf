"""Cores divided among the processes of a corpus run: `python -m benchmarks.corpus.division BUNDLE --output FILE`.

The same documents are answered by one process with a thread for each core, by one with a single thread for each core,
and by what lies between, in turns. A division's time is that from the begin of its first unit to the end of its last:
starting and loading, which a corpus does not notice, do not count. Answers are short, as random weights find no end by
themselves.

The JSON holds `divisions` by their names, such as "2 x 1" for two processes of one thread: `documents_a_minute`, the
median over rounds, the `samples`, and `ratio`, the time of a document beside that of one process with all threads.
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.corpus.layer import UNIT_DOCUMENTS, prepare_short, span_of_units, write_short_task
from benchmarks.results_file import output_file, stamp, summarized, write_results
from biogpt_onnx import corpus
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.system.cores import num_usable_cores


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="a bundle of any task or none")
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    parser.add_argument("--units", type=int, default=2, help="units of 8 documents for each core (default 2)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each division is measured (default 3)")
    options = parser.parse_args()
    made_on, manifest = stamp(), read_manifest(options.bundle)
    cores = num_usable_cores()
    documents = options.units * cores * UNIT_DOCUMENTS
    divisions = [(workers, cores // workers) for workers in range(1, cores + 1) if cores % workers == 0]
    samples: dict[str, list[float]] = {f"{workers} x {threads}": [] for workers, threads in divisions}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_short_task(folder)
        for number in range(options.rounds):
            for workers, threads in divisions if number % 2 else reversed(divisions):
                run = prepare_short(folder / f"{number}-{workers}", folder, documents)
                corpus.work(run.folder, options.bundle, workers=workers, threads=threads)
                samples[f"{workers} x {threads}"].append(span_of_units(run))
    seconds = {name: statistics.median(found) for name, found in samples.items()}
    whole = seconds[f"1 x {cores}"]
    found: dict[str, Any] = {
        name: {
            "documents_a_minute": round(60 * documents / seconds[name], 2),
            "ratio": round(seconds[name] / whole, 4),
            "samples": [round(each, 3) for each in samples[name]],
        }
        for name in samples
    }
    results = {
        **made_on,
        "bundle": {"precision": manifest.precision, "layers": manifest.architecture.num_layers},
        "documents": documents,
        "unit_documents": UNIT_DOCUMENTS,
        "divisions": found,
    }
    write_results(options.output, results)
    print(summarized({"divisions": found}))


if __name__ == "__main__":
    main()
