"""Claims of work units, which save double work. No result depends on them: the first one counts in any case."""

import contextlib
import json
import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from biogpt_onnx.corpus.publishing import UNFINISHED, host, not_written, owner
from biogpt_onnx.corpus.run import CLAIMS_FOLDER, Run, Unit
from biogpt_onnx.corpus.working.file_clock import FileClock
from biogpt_onnx.runtime.background import start_in_background
from biogpt_onnx.runtime.system.files import remove_file, rename
from biogpt_onnx.runtime.system.processes import has_ended

LEASE_SECONDS = 120.0
"""A claim that was not renewed for so long is of a process that is gone."""

_RENEWALS = 4
_SUFFIX = ".json"


def this_process() -> dict[str, Any]:
    """Returns the host and the number of this process, as claims and tries name their holders."""
    return {"host": host(), "process": os.getpid()}


def is_gone(holder: Mapping[str, Any]) -> bool:
    """Returns True if a holder is a process of this host that has ended; of other hosts nothing is known."""
    process = holder.get("process")
    if holder.get("host") != host() or not isinstance(process, int) or process < 1:
        return False
    return has_ended(process)


class Claims:
    """The claims of the units of a run.

    A claim is a file with the host and the process that holds it, which renews the file's date. The date is compared
    with the time of the same file system, and a claim of this host whose process has ended is free at once.

    Args:
        run: The run.
        lease_seconds: Seconds after which a claim that was not renewed is free.
        clock: The file system's time.
    """

    def __init__(self, run: Run, *, lease_seconds: float = LEASE_SECONDS, clock: FileClock | None = None) -> None:
        self._folder = run.folder / CLAIMS_FOLDER
        self._lease = lease_seconds
        self._clock = clock or FileClock(self._folder)

    def is_held(self, unit: Unit) -> bool:
        """Returns True if a process that is not known to be gone has claimed a unit."""
        return self._is_fresh(self._file(unit))

    def held(self) -> Iterator[int]:
        """Yields the numbers of the units that are claimed, as `is_held` tells."""
        with os.scandir(self._folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name.endswith(_SUFFIX))
        for name in names:
            number = name.removesuffix(_SUFFIX)
            if number.isdigit() and self._is_fresh(self._folder / name):
                yield int(number)

    @contextmanager
    def claimed(self, unit: Unit) -> Iterator[bool]:
        """Claims a unit for the block, and renews the claim while the block runs.

        Yields:
            True if the unit is claimed; False if another process has claimed it.

        Raises:
            DocumentError: The claim cannot be written.
            MemoryError: No thread can be had that renews it.
        """
        if not self._take(unit):
            yield False
            return
        path, end = self._file(unit), threading.Event()
        try:
            start_in_background(_renew, path, self._lease / _RENEWALS, end)
            yield True
        finally:
            # A last renewal may come late: it finds no file, or makes another process's claim a little younger.
            end.set()
            self._release(path)

    def abandon(self, unit: Unit, holder: Mapping[str, Any]) -> None:
        """Frees a claim whose holder is known to be gone, so that nobody waits for its lease to end.

        Args:
            unit: The unit.
            holder: The host and the process, as `this_process` describes them.
        """
        with contextlib.suppress(OSError):
            path = self._file(unit)
            if _holder(path) == holder:
                _move_away(path)

    def close(self) -> None:
        """Removes what the claims need by themselves."""
        self._clock.close()

    def _is_fresh(self, path: Path) -> bool:
        try:
            date = path.stat().st_mtime
            holder = _holder(path)
        except OSError:
            return False
        if is_gone(holder):
            return False
        # Files of two machines may be dated by different clocks where a file system has no time of its own.
        return abs(self._clock.now() - date) < self._lease

    def _take(self, unit: Unit) -> bool:
        path = self._file(unit)
        for _ in range(2):
            try:
                _write(path)
            except FileExistsError:
                if self.is_held(unit):
                    return False
                _move_away(path)
            else:
                return True
        return False

    def _release(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            # Another process may have taken it over, after this one was suspended.
            if _holder(path) == this_process():
                path.unlink()

    def _file(self, unit: Unit) -> Path:
        return self._folder / f"{unit.name}{_SUFFIX}"


def _write(path: Path) -> None:
    """Makes a claim.

    Raises:
        FileExistsError: There is one.
        DocumentError: It cannot be written.
    """
    is_made = False
    try:
        with path.open("x", encoding="utf-8", newline="\n") as stream:
            is_made = True
            json.dump(this_process(), stream)
            stream.flush()
    except FileExistsError:
        raise
    except OSError as error:
        if is_made:
            path.unlink(missing_ok=True)
        raise not_written(path, error) from error


def _renew(path: Path, seconds: float, end: threading.Event) -> None:
    while not end.wait(seconds):
        with contextlib.suppress(OSError):
            os.utime(path)


def _holder(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        # It is being written.
        return {}
    return found if isinstance(found, dict) else {}


def _move_away(path: Path) -> None:
    """Removes a claim; of several processes that do, one removes it and the others nothing."""
    aside = path.with_name(f"{UNFINISHED}{owner()}-{secrets.token_hex(4)}{_SUFFIX}")
    with contextlib.suppress(OSError):
        rename(path, aside)
        remove_file(aside)
