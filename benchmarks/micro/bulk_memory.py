"""Memory of calls on many texts: `python -m benchmarks.micro.bulk_memory BUNDLE --output FILE`.

Each of `generate`, `score` and `embed` is given an iterator of short texts in a process of its own, whose resident
memory a thread reads once a second. A call whose memory is bounded has as much at its end as after its first texts.
Linux only: memory is read from `/proc/self/status`.
"""

import argparse
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any, Self

import biogpt_onnx
from benchmarks.full_size import THREADS
from benchmarks.results_file import output_file, stamp, summarized, write_results
from biogpt_onnx import BioGPT
from biogpt_onnx.bench.measuring.protocol import memory

TEXTS = 2_000
WARMED_UP = 0.2
"""Share of the texts after which memory should not grow any more."""

_SECONDS_BETWEEN = 1.0
_SUBJECTS = ("Aspirin", "Insulin", "Lithium", "Heparin", "Cisplatin", "Warfarin", "Morphine")
_VERBS = ("inhibits", "lowers", "causes", "prevents", "binds")
_OBJECTS = ("platelets", "glucose", "tremor", "thrombosis", "nausea", "pain", "seizures", "fever", "anemia")

Call = Callable[[BioGPT, Iterator[str]], object]

CALLS: Mapping[str, Call] = {
    "generate": lambda model, texts: model.generate(texts, max_new_tokens=1),
    "score": lambda model, texts: model.score(texts),
    "embed": lambda model, texts: model.embed(texts),
}


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, help="a bundle")
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    parser.add_argument("--texts", type=int, default=TEXTS, help=f"number of texts (default {TEXTS:,})")
    parser.add_argument("--calls", nargs="+", choices=CALLS, default=[*CALLS], help="the calls (default all)")
    options = parser.parse_args()
    if options.texts < 1:
        parser.error(f"--texts is {options.texts}: give 1 or more")
    results: dict[str, Any] = {**stamp(), "bundle": options.bundle.name, "calls": {}}
    for name in options.calls:
        # A new process, whose allocator no other call has used.
        with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
            results["calls"][name] = pool.submit(measure, name, options.bundle, options.texts).result()
        print(name, summarized(results["calls"][name]), flush=True)
        write_results(options.output, results)


def measure(name: str, bundle: Path, count: int) -> Mapping[str, object]:
    """Makes a call on many texts and returns what memory it took.

    Args:
        name: the name of one of `CALLS`.
        bundle: the bundle's folder.
        count: number of texts.
    """
    model = biogpt_onnx.load(bundle, device="cpu", threads=THREADS)
    watch = _Watch()
    loaded = memory()["resident_bytes"]
    with watch:
        CALLS[name](model, watch.counted(texts(count)))
    later = [sample["resident_bytes"] for sample in watch.samples if sample["texts"] >= WARMED_UP * count]
    return {
        "texts": count,
        "loaded_bytes": loaded,
        "warmed_up_bytes": later[0],
        "peak_bytes": max(sample["resident_bytes"] for sample in watch.samples),
        "last_bytes": later[-1],
        "growth_bytes_a_text": (later[-1] - later[0]) / ((1 - WARMED_UP) * count),
        "seconds": watch.samples[-1]["seconds"],
        "samples": watch.samples,
    }


def texts(count: int) -> Iterator[str]:
    """Yields short texts, of which neighbours differ."""
    for number in range(count):
        words = (group[number % len(group)] for group in (_SUBJECTS, _VERBS, _OBJECTS))
        yield " ".join([*words, f"in {number} patients"][: 3 + number % 2])


class _Watch:
    """Reads the memory once a second, with the number of texts that have been taken."""

    def __init__(self) -> None:
        self.samples: list[dict[str, Any]] = []
        self._taken = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._start = perf_counter()

    def counted(self, items: Iterator[str]) -> Iterator[str]:
        for item in items:
            yield item
            self._taken += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._sample()

    def _watch(self) -> None:
        while not self._ended.wait(_SECONDS_BETWEEN):
            self._sample()

    def _sample(self) -> None:
        seconds = round(perf_counter() - self._start, 1)
        self.samples.append({"seconds": seconds, "texts": self._taken, "resident_bytes": memory()["resident_bytes"]})


if __name__ == "__main__":
    main()
