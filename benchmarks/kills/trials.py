"""A trial: a command is disturbed at a random moment, and what it leaves is compared with undisturbed runs."""

import hashlib
import json
import random
import shutil
import signal
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.kills.commands import Ended, Moment, address_space, limit_files, limit_memory, run_command
from benchmarks.kills.disk import Disk
from benchmarks.kills.jobs import Inputs, Job

SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}
"""Faults that are signals."""
FAULTS = (*SIGNALS, "full disk", "small files", "memory", "read-only")
"""Everything that ends commands."""
OWN_DISK = {"full disk", "read-only"}
"""Faults that need a disk of one's own."""


def has_fault(job: "Job", fault: str) -> bool:
    """Returns False for a fault that cannot come to a job: a shell makes the file of what is printed."""
    return fault != "read-only" or job.printed is None


_FROM_START = 0.2
_ABSENT = "absent"
_MOST_MEMORY = 600e6
_RECORDED = (0, 1)


@dataclass(frozen=True)
class Reference:
    """What undisturbed runs of a job leave.

    Attributes:
        ended: the end of such a run.
        whole: digests of what each output may be, beside what stood there before; the last one is the final one.
        printed: the standard output.
        listing: names of all files of the folder to work in, and of the one for temporary files.
        size: bytes of the outputs.
    """

    ended: Ended
    whole: Mapping[str, tuple[str, ...]]
    printed: bytes
    listing: frozenset[str]
    size: int


@dataclass(frozen=True)
class Bench:
    """Where trials run.

    Attributes:
        inputs: what the commands read.
        disk: where they work.
    """

    inputs: Inputs
    disk: Disk

    @property
    def work(self) -> Path:
        """The folder that commands work in."""
        return self.disk.folder / "work"

    @property
    def temporary(self) -> Path:
        """The folder for temporary files."""
        return self.disk.folder / "temporary"

    def environment(self) -> dict[str, str]:
        """The environment of the commands."""
        return {"TMPDIR": str(self.temporary), "BIOGPT_ONNX_CACHE": str(self.work / "cache")}

    def set_up(self, job: Job) -> None:
        """Makes the folders as a job finds them."""
        for folder in (self.work, self.temporary):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        job.set_up(self.inputs, self.work)

    def run(self, job: Job, words: list[str], **disturbed: Any) -> Ended:  # noqa: ANN401 -- see `run_command`
        """Runs a command of a job."""
        printed = None if job.printed is None else self.work / job.printed
        return run_command(words, self.work / job.watched, printed=printed, environment=self.environment(), **disturbed)

    def listing(self) -> frozenset[str]:
        """The names of all files."""
        root = self.disk.folder
        return frozenset(
            str(path.relative_to(root)) for place in (self.work, self.temporary) for path in place.rglob("*")
        )


def reference_of(job: Job, bench: Bench) -> Reference:
    """Runs a job undisturbed.

    Raises:
        RuntimeError: it fails.
    """
    whole: dict[str, list[str]] = {name: [] for name in job.outputs}
    for words in (job.also_whole, job.words):
        if words is None:
            continue
        bench.set_up(job)
        ended = _must(bench.run(job, words(bench.inputs, bench.work)))
        if job.finish is not None:
            _must(bench.run(job, job.finish(bench.inputs, bench.work)))
        for name, digests in whole.items():
            digests.append(digest_of(bench.work / name))
    size = sum(path.stat().st_size for name in job.outputs for path in _files(bench.work / name))
    printed = b"" if job.printed is None else (bench.work / job.printed).read_bytes()
    known = {name: tuple(digests) for name, digests in whole.items()}
    return Reference(ended, known, printed, bench.listing(), max(size, len(printed)))


def run_trial(job: Job, fault: str, seed: str, bench: Bench, reference: Reference) -> dict[str, Any]:
    """Disturbs a job once, lets it go on, and returns what was found, with all that is wrong in "problems"."""
    randomness = random.Random(seed)  # noqa: S311 -- trials that can be repeated, nothing secret
    bench.set_up(job)
    before = {name: digest_of(bench.work / name) for name in job.outputs}
    around, disturbed, how = _disturbance(fault, randomness, bench, reference)
    with around:
        ended = bench.run(job, job.words(bench.inputs, bench.work), **disturbed)
    problems = list(_after_fault(job, fault, ended, before, bench, reference))
    is_whole = all(digest_of(bench.work / name) == found[-1] for name, found in reference.whole.items())
    stands = any((bench.work / name).exists() for name in job.outputs)
    if not stands or job.again is not None:
        words = job.words(bench.inputs, bench.work) + list(job.again or () if stands else ())
        problems += _after_resumption(job, bench.run(job, words), bench, reference)
    left = "whole" if is_whole else "absent or as before"
    return {"seed": seed, "how": how, "code": ended.code, "left": left, "problems": problems}


def digest_of(path: Path) -> str:
    """Returns a digest of a file, or of the names and contents of a folder's files but for unfinished ones."""
    if not path.exists():
        return _ABSENT
    digest = hashlib.sha256()
    for file in _files(path):
        digest.update(f"{file.relative_to(path)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    found = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return [file for file in found if not any(part.startswith(".") for part in file.relative_to(path).parts)]


def _disturbance(
    fault: str, randomness: random.Random, bench: Bench, reference: Reference
) -> tuple[AbstractContextManager[object], dict[str, Any], str]:
    """Returns what is around the command, how it is started, and that in words."""
    ended = reference.ended
    if fault in SIGNALS:
        from_start = randomness.random() < _FROM_START
        after = randomness.uniform(0, ended.seconds if from_start else ended.seconds - ended.begun)
        moment = Moment(SIGNALS[fault], after, from_start)
        where = "from the start" if from_start else "from the first file"
        return nullcontext(), {"moment": moment}, f"after {after:.3f} s {where}"
    if fault == "full disk":
        leave = int(reference.size * randomness.uniform(0, 1.2))
        return bench.disk.filled(leave), {}, f"{leave} bytes left"
    if fault == "small files":
        most = int(reference.size * randomness.uniform(0, 1))
        return nullcontext(), {"limits": partial(limit_files, most)}, f"files of at most {most} bytes"
    if fault == "memory":
        more = int(_MOST_MEMORY * randomness.random() ** 2)
        most = address_space() + more
        return nullcontext(), {"limits": partial(limit_memory, most)}, f"{more} bytes of memory"
    return bench.disk.read_only(), {}, "nothing can be written"


def _after_fault(  # noqa: PLR0913, PLR0917 -- all that was before and is now
    job: Job, fault: str, ended: Ended, before: Mapping[str, str], bench: Bench, reference: Reference
) -> list[str]:
    problems = []
    for name, known in reference.whole.items():
        if fault == "memory" and ended.code == 1 and _names_its_errors(bench.work / name):
            continue
        if digest_of(bench.work / name) not in {*known, before[name], _ABSENT}:
            problems.append(f"{name} is neither whole nor absent")
        if ended.code in _RECORDED and job.finish is None and digest_of(bench.work / name) != known[-1]:
            problems.append(f"the command ended with {ended.code}, and {name} is not its output")
        if fault not in SIGNALS and before[name] != _ABSENT and not (bench.work / name).exists():
            problems.append(f"{name} of before is gone")
    if job.printed is not None:
        printed = (bench.work / job.printed).read_bytes() if (bench.work / job.printed).exists() else b""
        if not reference.printed.startswith(printed):
            problems.append("what it printed is no beginning of what it should print")
        if ended.code in _RECORDED and printed != reference.printed:
            problems.append(f"the command ended with {ended.code}, and did not print everything")
    return problems + _wrong_end(fault, ended)


def _names_its_errors(path: Path) -> bool:
    """Returns True for results of which some rows are errors, as where one document took more memory than there was."""
    if path.suffix != ".jsonl" or not path.is_file():
        return False
    return any("error" in json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())


def _wrong_end(fault: str, ended: Ended) -> list[str]:
    if "Traceback" in ended.said or "Fatal Python error" in ended.said:
        return [f"it ended with a traceback: {ended.said[-2000:]}"]
    if fault in SIGNALS:
        number = SIGNALS[fault]
        # One that was done in time ends with 0, and one that SIGKILL ends with minus its number.
        return [] if ended.code in {0, 1, -number, 128 + number} else [f"it ended with {ended.code}: {ended.said}"]
    if fault != "memory" and ended.code < 0:
        return [f"signal {-ended.code} ended it: {ended.said}"]
    errors = [line for line in ended.said.splitlines() if line.startswith("error: ")]
    if ended.code > 1 and len(errors) != 1:
        return [f"it ended with {ended.code} and {len(errors)} lines of errors: {ended.said}"]
    return []


def _after_resumption(job: Job, ended: Ended, bench: Bench, reference: Reference) -> list[str]:
    problems = [] if ended.code == 0 else [f"the next run ended with {ended.code}: {ended.said}"]
    if job.finish is not None:
        ended = bench.run(job, job.finish(bench.inputs, bench.work))
        problems += [] if ended.code == 0 else [f"the command that ends it ended with {ended.code}: {ended.said}"]
    for name, known in reference.whole.items():
        if digest_of(bench.work / name) != known[-1]:
            problems.append(f"{name} of the next run differs from that of an undisturbed one")
    if job.printed is not None and (bench.work / job.printed).read_bytes() != reference.printed:
        problems.append("the next run printed something else")
    listing = frozenset(name for name in bench.listing() if not _is_record(name))
    if left := sorted(listing - reference.listing):
        problems.append(f"left over: {', '.join(left)}")
    if missing := sorted(reference.listing - listing):
        problems.append(f"missing: {', '.join(missing)}")
    return problems


def _is_record(name: str) -> bool:
    """Returns True for the record of a try of a corpus run that was killed, which stays."""
    return "/tries/" in name


def _must(ended: Ended) -> Ended:
    if ended.code != 0:
        raise RuntimeError(f"the undisturbed run ended with {ended.code}: {ended.said}")
    return ended
