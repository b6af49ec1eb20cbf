"""Groups of contenders that fit into memory together, since only contenders of one group are interleaved."""

from collections.abc import Sequence

from biogpt_onnx.bench.contender import Contender
from biogpt_onnx.bench.scenarios import Scenario
from biogpt_onnx.runtime.errors import ConfigError

# Shares of the available memory that the processes of a group together, and a single process, may take.
_GROUP_SHARE = 0.7
_SINGLE_SHARE = 0.9
# The cache is counted in float32.
_BYTES_PER_VALUE = 4
_KEYS_AND_VALUES = 2


def refuse_large(contenders: Sequence[Contender], scenarios: Sequence[Scenario], available: int | None) -> None:
    """Refuses contenders that would not fit into memory even alone.

    Args:
        contenders: the contenders.
        scenarios: scenarios that each of them runs.
        available: bytes of memory; None where the system does not say, and nothing is refused.

    Raises:
        ConfigError: a contender does not fit.
    """
    for contender in contenders:
        needed = max(needed_bytes(contender, scenario) for scenario in scenarios)
        if available is not None and needed > _SINGLE_SHARE * available:
            raise ConfigError(
                f"{contender.name} needs about {needed / 1e9:.1f} GB of memory, {available / 1e9:.1f} GB are "
                "available: end other programs, or leave it out"
            )


def memory_groups(contenders: Sequence[Contender], scenario: Scenario, available: int | None) -> list[list[Contender]]:
    """Splits contenders, in their order, into groups that fit into memory together.

    A cold start runs one process at a time, so that all contenders are of one group.

    Args:
        contenders: the contenders.
        scenario: the scenario that they run.
        available: bytes of memory; None where the system does not say, and all are of one group.
    """
    if available is None or scenario.kind == "cold start":
        return [list(contenders)] if contenders else []
    groups: list[list[Contender]] = []
    taken = 0
    for contender in contenders:
        needed = needed_bytes(contender, scenario)
        if not groups or taken + needed > _GROUP_SHARE * available:
            groups.append([])
            taken = 0
        groups[-1].append(contender)
        taken += needed
    return groups


def needed_bytes(contender: Contender, scenario: Scenario) -> int:
    """Returns the memory that a contender may take in a scenario: its model, and the keys and values of every row."""
    tokens = scenario.batch_size * scenario.num_beams * scenario.total_tokens
    size = contender.size
    return contender.resident_bytes + tokens * size.num_layers * size.hidden_size * _KEYS_AND_VALUES * _BYTES_PER_VALUE
