from collections.abc import Iterator
from pathlib import Path

import pytest

from makers.serving import Process


@pytest.fixture(scope="module")
def server(mini_bundle: Path) -> Iterator[Process]:
    """A server of the embedded checkpoint that asks for no key. Tests must not end it."""
    process = Process(mini_bundle, "--model-name", "mini")
    yield process
    process.kill()
