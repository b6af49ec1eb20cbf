"""The time of a file system, by which the ages of its files are told: clocks of machines may be apart."""

import os
from pathlib import Path

from biogpt_onnx.corpus.publishing import UNFINISHED, owner


class FileClock:
    """The time of a file system, as it dates a file that is touched.

    Args:
        folder: A folder on it.
    """

    def __init__(self, folder: Path) -> None:
        self._probe = folder / f"{UNFINISHED}{owner()}-clock"

    def now(self) -> float:
        """Returns the present time in seconds.

        Raises:
            OSError: The folder cannot be written.
        """
        self._probe.touch()
        # Without times, a network file system takes its server's.
        os.utime(self._probe)
        return self._probe.stat().st_mtime

    def close(self) -> None:
        """Removes the file that is touched."""
        self._probe.unlink(missing_ok=True)
