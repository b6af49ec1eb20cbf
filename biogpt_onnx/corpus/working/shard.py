"""Shards: the share of a run's units that one of several independent calls answers."""

import re
from dataclasses import dataclass

from biogpt_onnx.corpus.run import Run, Unit
from biogpt_onnx.runtime.errors import ConfigError

_WRITTEN = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")


@dataclass(frozen=True)
class Shard:
    """A share of a run's units: every `count`-th, from the one of number `index`.

    Attributes:
        index: The number of the shard, from 0.
        count: Number of all shards.

    Raises:
        ConfigError: There is no such shard.
    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise ConfigError(
                f"shard is {self.index}/{self.count}: give I/N, where I is from 0 to N-1, such as 0/4 for the first of "
                "four"
            )

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Returns the shard that is written as I/N.

        Raises:
            ConfigError: The text is no shard.
        """
        found = _WRITTEN.fullmatch(text.strip())
        if found is None:
            raise ConfigError(f"shard is {text!r}: give I/N, such as 0/4 for the first of four")
        return cls(int(found[1]), int(found[2]))

    def units(self, run: Run) -> list[Unit]:
        """Returns the units of the shard, in order."""
        return list(run.units[self.index :: self.count])
