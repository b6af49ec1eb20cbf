"""A corpus of full texts, read in windows: `python -m benchmarks.corpus.full_texts BUNDLE --output FILE --data FOLDER`.

The 681 open-access articles of `text/fulltext_ccby.jsonl.gz` are prepared and answered by the commands, and errors are
counted by their kinds. A text that is longer than the model reads is not one of them, as it is read in windows.
"""

import argparse
import gzip
import json
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.processes import checkout_environment, run_to_end
from benchmarks.results_file import output_file, stamp, summarized, write_results
from biogpt_onnx import corpus

_FILE = Path("text") / "fulltext_ccby.jsonl.gz"
_TASK = "bc5cdr"


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, help="a bundle, such as one of the embedded checkpoint")
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    parser.add_argument("--data", type=Path, required=True, help=f"a folder with {_FILE}")
    parser.add_argument("--documents", type=int, help="the first so many (default all)")
    parser.add_argument("--window-tokens", type=int, help="most tokens of a window (default that of the command)")
    parser.add_argument("--workers", type=int, help="processes that answer (default that of the command)")
    parser.add_argument("--threads", type=int, help="threads of each (default that of the command)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options)
    write_results(options.output, {**stamp(), "bundle": options.bundle.name, **found})
    sys.stdout.write(summarized(found) + "\n")


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Prepares and answers the texts in a folder, and returns times and errors."""
    source, run = folder / "texts.jsonl", folder / "run"
    characters = 0
    with source.open("w", encoding="utf-8") as stream:
        for row in islice(full_texts(options.data / _FILE), options.documents):
            characters += len(row["text"])
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    windows = _given("--window-tokens", options.window_tokens)
    processes = [*_given("--workers", options.workers), *_given("--threads", options.threads)]
    prepared = _seconds(
        *("prepare", source, "-o", run, "--task", _TASK, "--too-long", "windows", "--unit-documents", "20", *windows)
    )
    answered = _seconds("work", run, options.bundle, *processes)
    merged = _seconds("merge", run, "-o", folder / "out.jsonl")
    found = corpus.status(run)
    with (folder / "out.jsonl").open(encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    return {
        "documents": found.documents,
        "characters": characters,
        "workers": options.workers,
        "threads": options.threads,
        "prepare_seconds": prepared,
        "work_seconds": answered,
        "merge_seconds": merged,
        "relations": sum(len(record.get("relations", ())) for record in records),
        "errors": {kind: error.count for kind, error in found.errors.items()},
        "set_aside": len(found.set_aside),
    }


def full_texts(path: Path) -> Iterator[dict[str, str]]:
    """Yields the articles, each with abstract and body as one text."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            article = json.loads(line)
            paragraphs = [paragraph for _, section in article["body"] for paragraph in section]
            text = " ".join(filter(None, (article["abstract"], *paragraphs)))
            yield {"id": article["doi"] or article["pmcid"], "title": article["title"], "text": text}


def _given(option: str, value: int | None) -> list[str]:
    return [] if value is None else [option, str(value)]


def _seconds(*words: object) -> float:
    command = [sys.executable, "-m", "biogpt_onnx", "corpus", *map(str, words)]
    return run_to_end(command, checkout_environment()).seconds


if __name__ == "__main__":
    main()
