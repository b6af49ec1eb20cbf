"""Which contenders are loaded at the same time: as many as memory takes, since only those are measured in turns."""

from collections.abc import Sequence

from biogpt_onnx.bench.contender import Contender
from biogpt_onnx.bench.scenarios import Scenario
from biogpt_onnx.runtime.errors import ConfigError

# Of the memory that is available: what all processes of a group may take together, and what a single one may.
_GROUP_SHARE = 0.7
_SINGLE_SHARE = 0.9
# Of a cache of keys and values in float32.
_BYTES_PER_VALUE = 4
_KEYS_AND_VALUES = 2


def check_memory(contenders: Sequence[Contender], scenarios: Sequence[Scenario], available: int | None) -> None:
    """Refuses contenders that would not fit into memory even alone.

    Raises:
        ConfigError: names the contender and what it needs.
    """
    for contender in contenders:
        needed = max(needed_bytes(contender, scenario) for scenario in scenarios)
        if available is not None and needed > _SINGLE_SHARE * available:
            raise ConfigError(
                f"{contender.name} needs about {needed / 1e9:.1f} GB of memory, {available / 1e9:.1f} GB are "
                "available: end other programs, or leave it out"
            )


def groups(contenders: Sequence[Contender], scenario: Scenario, available: int | None) -> list[list[Contender]]:
    """Contenders in groups that fit into memory together, in their order; one where the system tells no memory.

    A cold start has one process at a time, so that all are of one group.
    """
    if available is None or scenario.kind == "cold start":
        return [list(contenders)] if contenders else []
    found: list[list[Contender]] = []
    taken = 0
    for contender in contenders:
        needed = needed_bytes(contender, scenario)
        if not found or taken + needed > _GROUP_SHARE * available:
            found.append([])
            taken = 0
        found[-1].append(contender)
        taken += needed
    return found


def needed_bytes(contender: Contender, scenario: Scenario) -> int:
    """What a contender may take in a scenario: its model, and the keys and values of every row."""
    tokens = scenario.batch_size * scenario.num_beams * scenario.total_tokens
    size = contender.size
    return contender.resident_bytes + tokens * size.num_layers * size.hidden_size * _KEYS_AND_VALUES * _BYTES_PER_VALUE
