"""A job that is done over and over: `python -m benchmarks.long_run.loops NAME BUNDLE FOLDER [PORT]`.

A process that is measured. Asked, it says what it used when its last round had ended, how many rounds that were, and
how many of them had another result than the first one.
"""

import argparse
import asyncio
import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import biogpt_onnx
from benchmarks.full_size import THREADS
from benchmarks.server import misbehaviour
from benchmarks.server.misbehaviour import Target
from benchmarks.server.process_usage import usage
from benchmarks.serving import Handlers, serve
from biogpt_onnx.cli import main as run_command

CLIENTS = 4
DOCUMENTS = 24

_PROMPTS = ("Aspirin inhibits", "The patient was treated with", "Cisplatin-induced nephrotoxicity")
_TEXTS = (
    "Five patients who took amiodarone developed hypothyroidism.",
    "Lithium caused tremor in two patients.",
    "Cisplatin caused renal failure, which glutathione prevented.",
)

Round = Callable[[], str]
"""Does the job once and returns what it led to."""


def load_and_close(bundle: Path) -> str:
    """Loads a bundle, generates three texts, and closes the model."""
    with biogpt_onnx.load(bundle, device="cpu", threads=1) as model:
        return "\n".join(each.text for each in model.generate(list(_PROMPTS), max_new_tokens=16))


def relations(bundle: Path, folder: Path) -> str:
    """Runs the command over a file of documents and returns the digest of what it wrote.

    Raises:
        RuntimeError: the command ended with another code than 0.
    """
    source, output = folder / "documents.jsonl", folder / "relations.jsonl"
    rows = ({"id": str(number), "text": _TEXTS[number % len(_TEXTS)]} for number in range(DOCUMENTS))
    source.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    words = ["relations", str(bundle), str(source), "-o", str(output), "--task", "bc5cdr", "--threads", "1"]
    code = run_command([*words, "--overwrite"])
    if code:
        raise RuntimeError(f"relations ended with {code}")
    return hashlib.sha256(output.read_bytes()).hexdigest()


def ask(port: int) -> str:
    """Asks a server by several clients at once, each for all texts, streamed and not.

    Raises:
        RuntimeError: a request got no answer.
    """
    target, bodies = Target(port, ""), misbehaviour.good_bodies(CLIENTS)

    async def one(number: int) -> str:
        found = []
        for body in bodies:
            status, answer = await misbehaviour.ask_whole(target, body, stream=bool(number % 2))
            if answer is None:
                raise RuntimeError(f"status {status} for a good request")
            found.append(answer.text)
        return "\n".join(found)

    async def everybody() -> list[str]:
        return await asyncio.gather(*(one(number) for number in range(CLIENTS)))

    answers = set(asyncio.run(everybody()))
    # Everybody asked the same, so that there must be one.
    return "\n\n".join(sorted(answers))


def files_in(folder: Path) -> int:
    """Returns how many files and folders lie in a folder, at any depth."""
    return sum(1 for _ in folder.rglob("*"))


class Loop:
    """Rounds of a job in a thread, and what the process used at the end of each.

    Args:
        do: the job.
        folder: its outputs and temporary files.
    """

    def __init__(self, do: Round, folder: Path) -> None:
        self._do, self._folder = do, folder
        self._first = do()
        self._rounds, self._different, self._failed = 1, 0, ""
        self._used = self._usage()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Starts the rounds, which end with the process."""
        self._thread.start()

    def usage(self) -> Mapping[str, object]:
        """Returns what the process used when its last round had ended, and what became of all rounds.

        Raises:
            RuntimeError: a round failed.
        """
        if self._failed:
            raise RuntimeError(self._failed)
        return {**self._used, "rounds": self._rounds, "different": self._different}

    def _run(self) -> None:
        try:
            while True:
                found = self._do()
                self._rounds += 1
                self._different += found != self._first
                self._used = self._usage()
        except Exception as error:  # noqa: BLE001 -- said to whoever asks next
            self._failed = " ".join(f"{type(error).__name__}: {error}".split())

    def _usage(self) -> Mapping[str, float]:
        return {**usage(), "files": files_in(self._folder)}


def main() -> None:
    """Answers requests for what the process uses until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=["load and close", "relations", "clients"])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int, nargs="?")
    options = parser.parse_args()
    jobs: dict[str, Round] = {
        "load and close": lambda: load_and_close(options.bundle),
        "relations": lambda: relations(options.bundle, options.folder),
        "clients": lambda: ask(options.port),
    }

    def load() -> tuple[Mapping[str, object], Handlers]:
        loop = Loop(jobs[options.name], options.folder)
        loop.start()
        return {"threads": THREADS}, {"usage": loop.usage}

    serve(load)


if __name__ == "__main__":
    main()
