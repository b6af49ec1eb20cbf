"""Plugin of pytest that records which test runs which line, and how long each takes.

Loaded with `-p benchmarks.mutation.recording` where the variable MUTATION_RECORD names the file to write and
MUTATION_FOLDER the folder of code. The record is JSON: `lines` has, for each file below that folder and each of its
lines, the tests that ran it; `seconds` the duration of each test.
"""

import json
import os
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path

import coverage
import pytest

_TARGET = "MUTATION_RECORD"
_FOLDER = "MUTATION_FOLDER"


class _Recorder:
    """Measures the lines that each test runs, in threads too."""

    def __init__(self, folder: Path, target: Path) -> None:
        self._target = target
        self._seconds: dict[str, float] = defaultdict(float)
        self._coverage = coverage.Coverage(data_file=None, source=[str(folder)], config_file=False)
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._coverage.switch_context(item.nodeid)
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] += report.duration

    def pytest_sessionfinish(self) -> None:
        self._coverage.stop()
        data = self._coverage.get_data()
        lines = {
            os.path.relpath(name): {
                line: [test for test in tests if test] for line, tests in data.contexts_by_lineno(name).items()
            }
            for name in data.measured_files()
        }
        record = {"lines": lines, "seconds": self._seconds}
        self._target.write_text(json.dumps(record), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Starts to record."""
    config.pluginmanager.register(_Recorder(Path(os.environ[_FOLDER]), Path(os.environ[_TARGET])))
