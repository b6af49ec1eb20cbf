"""The file of a run, to which each part is added when it is done, and from which a run goes on."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.results_file import stamp, write_results
from biogpt_onnx.runtime.errors import BioGptError


class ResultsError(BioGptError, ValueError):
    """A file of results belongs to another run; says so in one line."""


class ServerResults:
    """Results of a run, in one JSON file.

    Args:
        path: the file; what it holds is gone on with.
        settings: what all parts must have in common.
        restart: gives up what the file holds.

    Raises:
        ResultsError: the file was made with other settings, on another machine, or from other code.
    """

    def __init__(self, path: Path, settings: Mapping[str, object], *, restart: bool = False) -> None:
        self._path = path
        self._all: dict[str, Any] = {**stamp(), "settings": dict(settings), "servers": {}, "parts": {}}
        if path.is_file() and not restart:
            self._all = self._gone_on_with(json.loads(path.read_text(encoding="utf-8")))

    def has(self, part: str) -> bool:
        """Returns True if a part is there already."""
        return part in self._all["parts"]

    def add(self, part: str, found: Mapping[str, object]) -> None:
        """Adds a part and writes the file."""
        self._all["parts"][part] = dict(found)
        self._write()

    def add_server(self, name: str, found: Mapping[str, object]) -> None:
        """Adds what is known of a server and writes the file; what was known before stays where nothing new is."""
        self._all["servers"][name] = {**self._all["servers"].get(name, {}), **found}
        self._write()

    def _gone_on_with(self, before: dict[str, Any]) -> dict[str, Any]:
        for what in ("settings", "machine"):
            if before.get(what) != json.loads(json.dumps(self._all[what])):
                raise ResultsError(
                    f"{self._path} was measured with other {what}: say --restart to give it up, or name another file"
                )
        return before

    def _write(self) -> None:
        write_results(self._path, self._all)
