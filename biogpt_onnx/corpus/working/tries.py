"""Tries of work units: a unit that was begun several times and never ended is set aside, so that the rest goes on."""

import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biogpt_onnx.corpus.publishing import not_written, owner, publish
from biogpt_onnx.corpus.run import SET_ASIDE_FOLDER, TRIES_FOLDER, Run, Unit
from biogpt_onnx.corpus.working.claims import is_gone
from biogpt_onnx.files.text.json_lines import json_line
from biogpt_onnx.runtime.errors import BioGptError

TRIES = 3
"""The number of tries after which a unit is set aside, by default."""

_SUFFIX = ".json"
_SUDDENLY = "the process that answered it ended suddenly"


@dataclass(frozen=True)
class SetAside:
    """A unit that was set aside.

    Attributes:
        unit: The unit's number.
        tries: The number of tries; 0 for a unit that cannot be read.
        reason: The reason, as far as it is known.
    """

    unit: int
    tries: int
    reason: str


class Tries:
    """The tries of the units of a run.

    A try is a file that is there from its beginning to its end, so that a process that is killed leaves it. One that
    is ended on request takes it away: that is no fault of the unit.

    Workers of a cluster are killed with the call that started them, which is no fault of their units either. Their
    tries name the call. It confirms those of workers that died before it, and the next call on its host withdraws the
    others.

    Args:
        run: The run.
        most: The number of tries after which a unit is set aside.
        caller: The process with which this one is killed, as `claims.this_process` describes it; None for none.
    """

    def __init__(self, run: Run, most: int = TRIES, caller: Mapping[str, Any] | None = None) -> None:
        self._tries = run.folder / TRIES_FOLDER
        self._aside = run.folder / SET_ASIDE_FOLDER
        self._most = most
        self._begun = {"reason": _SUDDENLY} if caller is None else {"reason": _SUDDENLY, "caller": caller}

    def begin(self, unit: Unit) -> Path:
        """Counts a try of a unit, until `withdraw` takes it away.

        Returns:
            The file of the try.

        Raises:
            DocumentError: It cannot be written.
        """
        path = self._tries / f"{unit.name}.{owner()}.{secrets.token_hex(4)}{_SUFFIX}"
        try:
            path.write_text(json.dumps(self._begun), encoding="utf-8", newline="\n")
        except OSError as error:
            withdraw(path)
            raise not_written(path, error) from error
        return path

    def confirm(self, unit: Unit, holder: Mapping[str, Any]) -> None:
        """Counts a try of a unit whose process died while its caller lives.

        Args:
            unit: The unit.
            holder: The process that died, as `claims.this_process` describes it.
        """
        for path in self._tries.glob(f"{unit.name}.{holder['host']}-{holder['process']}.*{_SUFFIX}"):
            fail(path, _SUDDENLY)

    def withdraw_orphans(self) -> None:
        """Takes away the tries that were killed with a caller on this host."""
        for path in self._tries.glob(f"[0-9]*{_SUFFIX}"):
            with suppress(OSError, ValueError, AttributeError):
                caller = json.loads(path.read_text(encoding="utf-8")).get("caller")
                if isinstance(caller, dict) and is_gone(caller):
                    withdraw(path)

    def set_aside_if_tried(self, unit: Unit) -> SetAside | None:
        """Sets a unit aside if it has been tried as often as it may be; returns what was, or None."""
        found = list(self._tries.glob(f"{unit.name}.*{_SUFFIX}"))
        if len(found) < self._most:
            return None
        return self.set_aside(unit, len(found), _reason(max(found, key=_date)))

    def set_aside(self, unit: Unit, tries: int, reason: str) -> SetAside:
        """Sets a unit aside, so that no process answers it; see `take_back`."""
        publish(self._file(unit), [json_line({"tries": tries, "reason": reason})])
        return SetAside(unit.number, tries, reason)

    def aside(self) -> dict[int, SetAside]:
        """Returns the units that are set aside, by their numbers."""
        found = {}
        for path in sorted(self._aside.glob(f"[0-9]*{_SUFFIX}")):
            with suppress(OSError, ValueError):
                values = json.loads(path.read_text(encoding="utf-8"))
                found[int(path.stem)] = SetAside(int(path.stem), int(values["tries"]), str(values["reason"]))
        return found

    def is_aside(self, unit: Unit) -> bool:
        """Returns True if a unit is set aside."""
        return self._file(unit).exists()

    def take_back(self) -> None:
        """Has all units that are set aside tried again."""
        for number in self.aside():
            name = Unit(number, 0, 0, "").name
            for path in self._tries.glob(f"{name}.*{_SUFFIX}"):
                path.unlink(missing_ok=True)
            (self._aside / f"{name}{_SUFFIX}").unlink(missing_ok=True)

    def _file(self, unit: Unit) -> Path:
        return self._aside / f"{unit.name}{_SUFFIX}"


def withdraw(path: Path) -> None:
    """Takes a try away: the unit was answered, or the process was asked to end."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def fail(path: Path, reason: str) -> None:
    """Leaves a try with the reason why it failed."""
    # On a full disk the try stays without the reason.
    with suppress(OSError):
        path.write_text(json.dumps({"reason": reason}), encoding="utf-8", newline="\n")


def reason_of(error: Exception) -> str:
    """Returns an error in one line, with the name of its class if it is none of this package's."""
    message = " ".join(str(error).split())
    return message if isinstance(error, BioGptError) else f"{type(error).__name__}: {message}"


def _date(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _reason(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["reason"])
    except (OSError, ValueError, KeyError, TypeError):
        return _SUDDENLY
