"""The inputs that are kept: one, the shortest, for each thing that happened to a reader."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"
"""Place of the inputs that are kept, a file of JSON for each reader."""

_LONGEST = 2_000


def read_corpus(reader: str, folder: Path = FOLDER) -> dict[str, bytes]:
    """Returns the inputs of a reader by what happened with each."""
    path = _path(reader, folder)
    if not path.exists():
        return {}
    return {name: base64.b64decode(data) for name, data in json.loads(path.read_text(encoding="utf-8")).items()}


def add_to_corpus(reader: str, found: Mapping[str, bytes], folder: Path = FOLDER) -> int:
    """Adds inputs that are new, or shorter than those that are kept, unless they are long; returns their number."""
    kept = read_corpus(reader, folder)
    better = {
        name: data
        for name, data in found.items()
        if len(data) <= _LONGEST and (name not in kept or len(data) < len(kept[name]))
    }
    kept |= better
    encoded = {name: base64.b64encode(data).decode("ascii") for name, data in sorted(kept.items())}
    folder.mkdir(exist_ok=True)
    _path(reader, folder).write_text(json.dumps(encoded, indent=1) + "\n", encoding="utf-8")
    return len(better)


def _path(reader: str, folder: Path) -> Path:
    return folder / f"{reader.replace(' ', '-')}.json"
