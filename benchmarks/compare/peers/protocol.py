"""Protocol of the peers: lines of JSON, requests on standard input and answers on standard output.

Every adapter hands two functions to `run`, which makes the command line `prepare CHECKPOINT OUT --variant V` and
`serve OUT --variant V --threads N` of them. A served model first says how it loaded, or `{"error": ...}`, and then
answers these requests until its input ends:

- `{"generate": {"prompts": [[ids], ...], "new_tokens": n, "num_beams": k}}` with `{"seconds": [...], "tokens": [[ids],
  ...]}`: when each new token of every row was there, counted from the request, or only the total; and the new tokens of
  each row's best answer. Exactly n of them, whatever the model thinks of ending.
- `{"logits": {"ids": [ids], "file": PATH}}` with `{"rows": r}`, after writing those of the last r positions.
- `{"memory": {}}` with the bytes of the process.

What a library cannot do is answered with `{"unsupported": reason}`, and a request that fails with `{"error": line}`.
Needs the standard library and numpy alone, because it runs in every peer's environment.
"""

import argparse
import importlib.metadata
import json
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple, Protocol, TextIO

import numpy as np
import numpy.typing as npt

EOS_ID = 2
PAD_ID = 1


class Unsupported(Exception):  # noqa: N818 -- an answer, not a mistake
    """Answer that the library cannot do what was asked, with the reason."""


class Clock:
    """Clock of a generation, which records when new tokens were there.

    Attributes:
        seconds: from the clock's making to each tick.
    """

    def __init__(self) -> None:
        self._start = perf_counter()
        self.seconds: list[float] = []

    def tick(self) -> None:
        """Records that one more token of every row is there; or all of them, where steps cannot be seen."""
        self.seconds.append(perf_counter() - self._start)


class Model(Protocol):
    """A loaded peer."""

    def generate(self, prompts: list[list[int]], new_tokens: int, num_beams: int, clock: Clock) -> list[list[int]]:
        """Generates exactly so many new tokens; ticks the clock at each of them, or once at the end.

        Args:
            prompts: token ids, of equal length.
            new_tokens: how many are generated, whatever ends a text.
            num_beams: 1 is greedy search.
            clock: is told of each step.

        Returns:
            The new tokens of each row's best answer.

        Raises:
            Unsupported: the library has no such search.
        """
        ...

    def logits(self, ids: list[int]) -> npt.NDArray[np.float32]:
        """Returns the logits of the last positions, at least of the very last: [rows, vocabulary]."""
        ...


class Adapter(NamedTuple):
    """Parts of a peer's adapter.

    Attributes:
        variants: the values of `--variant`.
        packages: the packages whose versions belong to a result.
        prepare: writes into an empty folder what `load` loads; takes the checkpoint's folder, that folder, the variant.
        load: takes the prepared folder, the variant and the number of threads.
    """

    variants: Sequence[str]
    packages: Sequence[str]
    prepare: Callable[[Path, Path, str], None]
    load: Callable[[Path, str, int], Model]


def run(adapter: Adapter, arguments: Sequence[str] | None = None) -> int:
    """Runs an adapter's command line; returns the exit status."""
    options = _parser(adapter).parse_args(arguments)
    if options.command == "prepare":
        return _prepare(adapter, options.checkpoint, options.output, options.variant)
    # Read by OpenMP when the first library that uses it is loaded.
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    answers = _take_standard_output()
    return serve(
        lambda: adapter.load(options.output, options.variant, options.threads), adapter.packages, sys.stdin, answers
    )


def serve(load: Callable[[], Model], packages: Sequence[str], requests: Iterable[str], answers: TextIO) -> int:
    """Loads a model and answers until the requests end; returns the exit status."""
    start = perf_counter()
    try:
        model = load()
    except Exception as error:  # noqa: BLE001 -- whatever keeps a library from loading is the answer
        _write(answers, {"error": _one_line(error)})
        return 1
    seconds = perf_counter() - start
    _write(answers, {"load_seconds": seconds, **_loaded_memory(), "versions": versions(packages)})
    for line in requests:
        _write(answers, _answer(model, line))
    return 0


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Returns the versions of packages by name; one that is not installed is left out."""
    found = {}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def memory() -> dict[str, int]:
    """Returns this process's bytes in memory: all, those that no file backs, and the peak of all."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
    names = {"resident_bytes": "VmRSS", "anonymous_bytes": "RssAnon", "peak_resident_bytes": "VmHWM"}
    return {name: int(lines[field].split()[0]) * 1024 for name, field in names.items()}


def _parser(adapter: Adapter) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    prepare = commands.add_parser("prepare", help="convert a Hugging Face folder of safetensors")
    prepare.add_argument("checkpoint", type=Path)
    serving = commands.add_parser("serve", help="load what was prepared and answer requests")
    for command in (prepare, serving):
        command.add_argument("output", type=Path)
        command.add_argument("--variant", choices=adapter.variants, required=True)
    serving.add_argument("--threads", type=int, required=True)
    return parser


def _prepare(adapter: Adapter, checkpoint: Path, output: Path, variant: str) -> int:
    """Prepares beside the target and renames, so that there is a whole folder or none."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
        folder.chmod(0o755)
        try:
            adapter.prepare(checkpoint, folder, variant)
            folder.rename(output)  # fails where something is in the way, but for an empty folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except Exception as error:  # noqa: BLE001 -- whatever keeps a library from converting is the answer
        traceback.print_exc()
        print(f"error: cannot prepare {variant} of {checkpoint}: {_one_line(error)}", file=sys.stderr)
        return 1
    return 0


def _take_standard_output() -> TextIO:
    """Returns standard output for answers alone; what a library prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _answer(model: Model, line: str) -> dict[str, Any]:
    clock = Clock()
    try:
        match json.loads(line):
            case {"generate": dict(request)}:
                return _generate(model, clock, **request)
            case {"logits": {"ids": list(ids), "file": str(file)}}:
                logits = np.asarray(model.logits(ids), dtype=np.float32)
                np.save(file, logits)
                return {"rows": len(logits)}
            case {"memory": dict()}:
                return dict(memory())
            case _:
                return {"error": "unknown request: there are generate, logits and memory"}
    except Unsupported as reason:
        return {"unsupported": str(reason)}
    except Exception as error:  # noqa: BLE001 -- one request that fails does not end the others
        traceback.print_exc()
        return {"error": _one_line(error)}


def _generate(
    model: Model, clock: Clock, *, prompts: list[list[int]], new_tokens: int, num_beams: int = 1
) -> dict[str, Any]:
    if not prompts or new_tokens < 1 or num_beams < 1:
        raise ValueError(f"{len(prompts)} prompts, {new_tokens} new tokens, {num_beams} beams: there must be one each")
    if len({len(ids) for ids in prompts}) > 1:
        raise ValueError(f"prompts of {sorted(len(ids) for ids in prompts)} tokens: a batch is of equal lengths")
    tokens = model.generate(prompts, new_tokens, num_beams, clock)
    # A peer that does less work than was asked for must not be measured.
    if [len(row) for row in tokens] != [new_tokens] * len(prompts):
        raise RuntimeError(f"gave {[len(row) for row in tokens]} tokens where {new_tokens} were asked for")
    if len(clock.seconds) not in {1, new_tokens}:
        raise RuntimeError(f"was seen to make {len(clock.seconds)} steps for {new_tokens} tokens")
    return {"seconds": clock.seconds, "tokens": [[int(token) for token in row] for row in tokens]}


def _loaded_memory() -> dict[str, int]:
    return {name: size for name, size in memory().items() if name != "peak_resident_bytes"}


def _write(answers: TextIO, answer: dict[str, Any]) -> None:
    print(json.dumps(answer), file=answers, flush=True)


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]
