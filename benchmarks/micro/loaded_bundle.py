"""A process that has loaded a bundle and nothing else, whose memory can be looked at from outside.

Run as `python benchmarks/loaded_process.py BUNDLE THREADS [CACHE]`; each line that it reads has it compute once.
"""

import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Self

import numpy as np

PROMPT_TOKENS = 128
STEPS = 8
_FIELDS = {"resident_bytes": "Rss", "anonymous_bytes": "Anonymous", "proportional_bytes": "Pss"}
_PRIVATE_FIELDS = ("Private_Clean", "Private_Dirty")


class LoadedProcess:
    """A process that loads a bundle and computes when told to.

    Attributes:
        load_seconds: what loading took.
    """

    def __init__(self, bundle: Path, threads: int, cache: Path | None = None) -> None:
        """Starts it and waits until the bundle is loaded; with a cache, it shares its weights."""
        command = [sys.executable, __file__, str(bundle), str(threads), *([] if cache is None else [str(cache)])]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.load_seconds = float(self._answer())

    def compute(self) -> None:
        """Has a prompt read and a few steps made."""
        if self._process.stdin is None:
            raise RuntimeError("the process has no pipe")
        self._process.stdin.write("compute\n")
        self._process.stdin.flush()
        self._answer()

    def memory(self) -> dict[str, int]:
        """Bytes of it in memory: all, those that are nobody's file, its share of all, and what nobody shares."""
        text = Path(f"/proc/{self._process.pid}/smaps_rollup").read_text(encoding="ascii")
        pairs = (line.split()[:2] for line in text.splitlines()[1:])
        sizes = {name.rstrip(":"): int(kilobytes) * 1024 for name, kilobytes in pairs}
        found = {name: sizes[field] for name, field in _FIELDS.items()}
        return found | {"private_bytes": sum(sizes[field] for field in _PRIVATE_FIELDS)}

    def __enter__(self) -> Self:
        """The process itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait()

    def _answer(self) -> str:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"the process ended with {self._process.wait()}")
        return line


def _serve(bundle: str, threads: str, cache: str | None = None) -> None:
    from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
    from biogpt_onnx.runtime.bundle import read_manifest

    folder = Path(bundle)
    start = perf_counter()
    session = DecoderSession(
        folder,
        read_manifest(folder),
        threads=int(threads),
        share_weights=cache is not None,
        cache_folder=None if cache is None else Path(cache),
    )
    print(perf_counter() - start, flush=True)
    prompt = np.array([[2, *np.random.default_rng(0).integers(4, 42_000, PROMPT_TOKENS - 1)]])
    for _ in sys.stdin:
        keys_and_values = session.new_cache(1, PROMPT_TOKENS + STEPS)
        logits = session.forward(prompt, keys_and_values)
        for _ in range(STEPS):
            logits = session.forward(logits.argmax(axis=-1)[None], keys_and_values)
        print(flush=True)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
