"""All readers, by name."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from benchmarks.fuzzing.readers import Reader, readers

BODY = "body of "
"""Beginning of the names of readers of requests, which need the server's packages."""


def all_readers(place: Path, *, with_server: bool = True) -> Mapping[str, Reader]:
    """Returns all readers whose packages are installed.

    Args:
        place: empty folder for the files that they read.
        with_server: False to leave those of requests out, which load a model.
    """
    found = dict(readers(place))
    if find_spec("torch") is None:
        del found["torch file"]
    if with_server and find_spec("starlette") is not None:
        from benchmarks.fuzzing.http_bodies import http_readers

        found |= {reader.name: reader for reader in http_readers(place)}
    return found
