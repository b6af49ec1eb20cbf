"""Memory and time of `corpus prepare`: `python -m benchmarks.corpus.prepare --output FILE`.

Inputs are made first: PubMed's XML with its traps, JSON Lines of articles' length, and the latter as Parquet if the
library pyarrow is there. Each is prepared by the command in a process of its own; its time and its peak resident memory
are taken from the system (Linux only). A gigabyte of text is 10^9 bytes of titles and texts as UTF-8; of XML, half of
which is markup, the time for a gigabyte of the unpacked files is given too. Of the PubMed files it is also checked that
all that they hold is read as it should be.
"""

import argparse
import gzip
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.corpus.pubmed_files import ARTICLES, Expected, write_pubmed
from benchmarks.processes import checkout_environment
from benchmarks.results_file import output_file, stamp, summarized, write_results
from biogpt_onnx.corpus.run import Run
from biogpt_onnx.corpus.units import read_unit

DOCUMENTS = 100_000
CHARACTERS = 1_500
"""The length of a title and an abstract."""

_REPEATS = 3
_TASK = "bc5cdr"
# The peak that the system counts for a process that has ended includes that of the one which started it.
_PROGRAM = """
import sys
from pathlib import Path
from biogpt_onnx.cli import main

code = main(sys.argv[2:])
lines = Path("/proc/self/status").read_text().splitlines()
Path(sys.argv[1]).write_text(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))
sys.exit(code)
"""


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    parser.add_argument("--documents", type=int, default=DOCUMENTS, help=f"of each input (default {DOCUMENTS:,})")
    parser.add_argument("--articles", type=int, default=ARTICLES, help=f"of a PubMed file (default {ARTICLES:,})")
    parser.add_argument("--characters", type=int, default=CHARACTERS, help=f"of a text (default {CHARACTERS:,})")
    parser.add_argument("--repeats", type=int, default=_REPEATS, help=f"of each input (default {_REPEATS})")
    parser.add_argument("--inputs", nargs="+", choices=_INPUTS, default=[*_INPUTS], help="the inputs (default all)")
    options = parser.parse_args()
    results: dict[str, Any] = {**stamp(), "documents": options.documents, "inputs": {}}
    for name in options.inputs:
        with tempfile.TemporaryDirectory() as folder:
            results["inputs"][name] = _INPUTS[name](Path(folder), options)
        print(name, summarized(results["inputs"][name]), flush=True)
        write_results(options.output, results)


def _pubmed(folder: Path, options: argparse.Namespace) -> Mapping[str, Any]:
    source = folder / "pubmed"
    source.mkdir()
    # One more file, as an update replaces a third of what it brings.
    expected = write_pubmed(source, max(2, -(-options.documents // options.articles) + 1), options.articles)
    text = sum(len(part.encode()) for texts in expected.texts.values() for part in texts)
    found = _measured(folder, source, text, options.repeats, lambda run: _check(run, expected))
    unpacked = sum(_unpacked_bytes(path) for path in source.glob("*.gz"))
    found |= {"unpacked_bytes": unpacked, "seconds_a_gigabyte_of_xml": found["seconds"] / (unpacked / 1e9)}
    return {**found, "expected_documents": expected.documents, "expected_deleted": expected.deleted}


def _unpacked_bytes(path: Path) -> int:
    with gzip.open(path, "rb") as stream:
        return sum(map(len, iter(partial(stream.read, 1 << 20), b"")))


def _json_lines(folder: Path, options: argparse.Namespace) -> Mapping[str, Any]:
    source = folder / "documents.jsonl"
    text = 0
    with source.open("w", encoding="utf-8") as stream:
        for row in _rows(options):
            text += len(row["title"].encode()) + len(row["text"].encode())
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    return _measured(folder, source, text, options.repeats)


def _parquet(folder: Path, options: argparse.Namespace) -> Mapping[str, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return {"skipped": "pyarrow is not installed"}
    source = folder / "documents.parquet"
    rows = list(_rows(options))
    text = sum(len(row["title"].encode()) + len(row["text"].encode()) for row in rows)
    pq.write_table(pa.Table.from_pylist(rows), source, compression="zstd")
    del rows
    return _measured(folder, source, text, options.repeats)


_INPUTS: Mapping[str, Callable[[Path, argparse.Namespace], Mapping[str, Any]]] = {
    "pubmed": _pubmed,
    "jsonl": _json_lines,
    "parquet": _parquet,
}


def _rows(options: argparse.Namespace) -> Iterator[dict[str, str]]:
    sentence = "Patients who took lithium at 5 μg/m² developed tremor within {} weeks, P < 0.05. "
    for number in range(options.documents):
        text = sentence.format(number) * (1 + options.characters // len(sentence))
        yield {"id": str(number), "title": f"Article {number}.", "text": text[: options.characters]}


def _measured(
    folder: Path, source: Path, text_bytes: int, repeats: int, check: Callable[[Path], None] = lambda _: None
) -> dict[str, Any]:
    samples = []
    for number in range(repeats):
        run = folder / f"run-{number}"
        sample = _prepare(source, run)
        samples.append(sample)
        check(run)
    seconds = median(sample["seconds"] for sample in samples)
    gigabytes = text_bytes / 1e9
    opened = Run.open(folder / "run-0")
    return {
        "documents": opened.num_documents,
        "units": len(opened.units),
        "text_bytes": text_bytes,
        "seconds": seconds,
        "seconds_a_gigabyte": seconds / gigabytes,
        "peak_bytes": max(sample["peak_bytes"] for sample in samples),
        "samples": samples,
    }


def _prepare(source: Path, run: Path) -> dict[str, float]:
    peak = run.with_name("peak")
    words = ["corpus", "prepare", str(source), "-o", str(run), "--task", _TASK]
    command = [sys.executable, "-c", _PROGRAM, str(peak), *words]
    start = perf_counter()
    process = os.posix_spawn(sys.executable, command, {**os.environ, **checkout_environment()})
    _, status, usage = os.wait4(process, 0)
    seconds = perf_counter() - start
    if status:
        raise RuntimeError(f"{' '.join(words)} ended with {os.waitstatus_to_exitcode(status)}")
    kilobytes = int(peak.read_text(encoding="ascii"))
    return {"seconds": seconds, "cpu_seconds": usage.ru_utime + usage.ru_stime, "peak_bytes": kilobytes * 1024}


def _check(run: Path, expected: Expected) -> None:
    """Compares all documents of a run with what the files hold.

    Raises:
        RuntimeError: They differ.
    """
    opened = Run.open(run)
    dropped = opened.description["dropped"]
    if dropped != {"superseded": expected.superseded, "deleted": expected.deleted}:
        raise RuntimeError(f"{dropped} were dropped, {expected.superseded} and {expected.deleted} should be")
    wanted = iter(expected.texts.items())
    for unit in opened.units:
        for row in read_unit(opened, unit):
            name, texts = next(wanted)
            document = row.row.document
            found = ("", "") if document is None else (document.title, document.text)
            if found != texts or (document is not None and document.id != name):
                raise RuntimeError(f"document {row.number} is {document}, and should be {name}: {texts}")
    if next(wanted, None) is not None:
        raise RuntimeError("documents are missing")


if __name__ == "__main__":
    main()
