"""Plugin of pytest that ends the process when a test takes far longer than it did on the unchanged code.

Loaded with `-p benchmarks.mutation.limiting` where the variable MUTATION_SECONDS names a JSON file with the duration of
each test. The process then ends by SIGALRM, which no loop in Python or in a library can hold up.
"""

import json
import os
import signal
from collections.abc import Generator, Mapping
from pathlib import Path

import pytest

_SECONDS = "MUTATION_SECONDS"


def most_seconds(seconds: float) -> float:
    """Returns how long a test may take that took so many seconds; the rest is for what it has to make first."""
    return 30 + 4 * seconds


class _Limiter:
    """Gives each test a time of its own."""

    def __init__(self, seconds: Mapping[str, float]) -> None:
        self._seconds = seconds

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        signal.setitimer(signal.ITIMER_REAL, most_seconds(self._seconds.get(item.nodeid, 0.0)))
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def pytest_configure(config: pytest.Config) -> None:
    """Starts to watch the time."""
    seconds = json.loads(Path(os.environ[_SECONDS]).read_text(encoding="utf-8"))
    config.pluginmanager.register(_Limiter(seconds))
