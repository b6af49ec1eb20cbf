"""Batches: how many items are computed together, by their length and by the memory that their cache takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.bundle.batch_invariance import is_batch_invariant

CACHE_BYTES = 4 * 2**30
"""Most bytes of the key-value cache of one batch, unless a single item needs more."""

_HALF_PRECISIONS = ("fp16", "bf16")
_WINDOW_BATCHES = 4


class Size(NamedTuple):
    """The size of one item.

    Attributes:
        length: number of tokens by which items of like length are found.
        cached: number of tokens for which the cache must have room.
    """

    length: int
    cached: int


@dataclass(frozen=True)
class BatchLimits:
    """The most that one batch takes.

    Attributes:
        items: most items of a batch.
        tokens: most tokens for which the cache of a batch has room, unless a single item needs more.
    """

    items: int
    tokens: int

    @property
    def window(self) -> int:
        """Number of items that are read ahead, so that those of like length come together."""
        return _WINDOW_BATCHES * self.items


def most_cached_tokens(manifest: Manifest) -> int:
    """Returns the number of tokens of a bundle whose keys and values take `CACHE_BYTES`."""
    architecture = manifest.architecture
    bytes_each = 2 if manifest.precision in _HALF_PRECISIONS else 4
    return CACHE_BYTES // (2 * bytes_each * architecture.num_layers * architecture.hidden_size)


def is_divisible(manifest: Manifest, device: str) -> bool:
    """Returns True if a batch for which there is no memory may be answered in parts instead.

    Where a CPU's results depend on the batch, they would differ without a word with the memory that happens to be
    free. On a GPU, of which it is not known whether they depend on it, the batch is divided.
    """
    return device != "cpu" or is_batch_invariant(manifest, has_avx512=True)


def batches_by_length(sizes: Sequence[Size], limits: BatchLimits) -> list[list[int]]:
    """Divides items into batches of like length, the longest first; batches of one item stay in the items' order.

    Args:
        sizes: size of each item.
        limits: the most that a batch takes; each of its items takes as much room as its largest.

    Returns:
        Places of the items of each batch; items of equal length in their order.
    """
    if limits.items == 1:
        return [[place] for place in range(len(sizes))]
    batches: list[list[int]] = []
    room = 0
    for place in sorted(range(len(sizes)), key=lambda place: -sizes[place].length):
        batch = batches[-1] if batches else []
        room = max(room, sizes[place].cached)
        if batch and len(batch) < limits.items and (len(batch) + 1) * room <= limits.tokens:
            batch.append(place)
        else:
            batches.append([place])
            room = sizes[place].cached
    return batches
