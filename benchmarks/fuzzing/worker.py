"""Fuzzes one reader in a process of its own, which may crash: `python -m benchmarks.fuzzing.worker READER ...`."""

import argparse
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_MOST_ADDRESSES = 8_000_000_000
_LONGEST_INPUT = 8192
_LONGEST_WORD = 64
_MOST_INFLATED = 150
_ALARM_SECONDS = 30
_KEPT_FOR_INFLATION = 12
CURRENT, PROGRESS, RESULT = "current", "progress", "result.json"


class Recorder:
    """What became of all inputs of a reader.

    Args:
        reader: the reader.
        state: folder that gets the input that is being read, so that it is known if the process crashes.
    """

    def __init__(self, reader: Any, state: Path) -> None:  # noqa: ANN401 -- its module must be imported late
        from benchmarks.fuzzing.trial import try_input

        self._reader, self._state, self._try = reader, state, try_input
        self._current = (state / CURRENT).open("wb", buffering=0)
        self.count = 0
        self.slowest, self.largest = 0.0, 0
        self.shortest: dict[str, bytes] = {}
        self.problems: dict[str, dict[str, Any]] = {}

    def take(self, data: bytes) -> bool:
        """Reads an input, and returns True if something happened that did not before."""
        self.count += 1
        self._current.seek(0)
        self._current.write(len(data).to_bytes(8, "little") + data)
        signal.alarm(_ALARM_SECONDS)
        outcome = self._try(self._reader, data)
        signal.alarm(0)
        self.slowest, self.largest = max(self.slowest, outcome.seconds), max(self.largest, outcome.grown)
        if outcome.problem is not None and outcome.signature not in self.problems:
            self.problems[outcome.signature] = {"problem": outcome.problem, "input": data[:_LONGEST_INPUT].hex()}
        known = self.shortest.get(outcome.signature)
        if known is None or len(data) < len(known):
            self.shortest[outcome.signature] = data
        if self.count % 100 == 0:
            (self._state / PROGRESS).write_text(str(self.count), encoding="ascii")
        return known is None

    def write(self, **more: object) -> None:
        """Writes what was found."""
        found = {
            "inputs": self.count,
            "slowest_seconds": self.slowest,
            "largest_growth_bytes": self.largest,
            "problems": list(self.problems.values()),
            "shortest": {name: data.hex() for name, data in self.shortest.items() if len(data) <= _LONGEST_INPUT},
            **more,
        }
        (self._state / RESULT).write_text(json.dumps(found), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzzes a reader, then tries inputs of a megabyte, and writes what was found."""
    options = _options(arguments)
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_ADDRESSES, _MOST_ADDRESSES))
    signal.signal(signal.SIGALRM, _give_up)
    # It need not be installed.
    has_atheris = find_spec("atheris") is not None and not options.no_atheris
    atheris = import_module("atheris") if has_atheris else None
    with nullcontext() if atheris is None else atheris.instrument_imports(include=["biogpt_onnx"]):
        from benchmarks.fuzzing.all_readers import BODY, all_readers

        with tempfile.TemporaryDirectory(prefix="fuzzing-") as name:
            with_server = options.reader.startswith(BODY)
            reader = all_readers(Path(name), with_server=with_server)[options.reader]
            return _fuzz(reader, options, atheris)


def _fuzz(reader: Any, options: argparse.Namespace, atheris: Any) -> int:  # noqa: ANN401 -- imported late
    from benchmarks.fuzzing.corpus import read_corpus

    recorder = Recorder(reader, options.state)
    seeds = [*reader.seeds, *read_corpus(reader.name).values()]
    started = time.monotonic()
    for data in seeds:
        recorder.take(data)

    def finish() -> None:
        seconds = time.monotonic() - started
        rate = {"guided_by": "outcomes" if atheris is None else "coverage", "seconds": seconds}
        recorder.write(**rate, inflated=_inflate(recorder, reader, seeds, options.seed) if options.inflate else 0)

    if atheris is None:
        _mutate(recorder, reader, seeds, options)
        finish()
        return 0
    _run_atheris(atheris, recorder, reader, seeds, options, finish)
    return 1


def _mutate(recorder: Recorder, reader: Any, seeds: Sequence[bytes], options: argparse.Namespace) -> None:  # noqa: ANN401
    from benchmarks.fuzzing.mutation import Mutator

    mutator = Mutator(seeds, reader.tokens, f"{options.seed}/{reader.name}")
    while recorder.count < options.inputs:
        data = mutator.next()
        if recorder.take(data):
            mutator.keep(data)


def _run_atheris(  # noqa: PLR0913, PLR0917 -- what is run, on what, and its end
    atheris: Any,  # noqa: ANN401 -- a module
    recorder: Recorder,
    reader: Any,  # noqa: ANN401 -- imported late
    seeds: Sequence[bytes],
    options: argparse.Namespace,
    finish: Callable[[], None],
) -> None:
    """Has libFuzzer make the inputs; ends the process."""
    corpus = options.state / "corpus"
    corpus.mkdir()
    for number, data in enumerate(seeds):
        (corpus / str(number)).write_bytes(data)
    words = options.state / "words"
    lines = [
        '"' + "".join(f"\\x{byte:02x}" for byte in token) + '"\n'
        for token in reader.tokens
        if len(token) <= _LONGEST_WORD
    ]
    words.write_text("".join(lines), encoding="ascii")

    def one(data: bytes) -> None:
        recorder.take(data)
        if recorder.count >= options.inputs:
            finish()
            os._exit(0)

    limits = [
        f"-max_len={_LONGEST_INPUT}",
        "-timeout=0",
        "-rss_limit_mb=0",
        "-malloc_limit_mb=0",
        "-print_final_stats=0",
    ]
    seed = 1 + int.from_bytes(options.seed.encode()[-3:], "little")
    dictionary = [f"-dict={words}"] if lines else []
    atheris.Setup([sys.argv[0], str(corpus), *dictionary, f"-seed={seed}", "-verbosity=0", *limits], one)
    atheris.Fuzz()


def _inflate(recorder: Recorder, reader: Any, seeds: Sequence[bytes], seed: str) -> int:  # noqa: ANN401
    from benchmarks.fuzzing.inflation import inflated

    counted = recorder.count
    tried = 0
    for data in inflated(seeds[:_KEPT_FOR_INFLATION], reader.tokens, seed):
        if tried >= _MOST_INFLATED:
            break
        recorder.take(data)
        tried += 1
    recorder.count = counted
    return tried


def _give_up(_number: int, _frame: object) -> None:
    raise TimeoutError("it took too long")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.fuzzing.worker")
    parser.add_argument("reader")
    parser.add_argument("--inputs", type=int, required=True)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--no-atheris", action="store_true")
    parser.add_argument("--inflate", action="store_true")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
