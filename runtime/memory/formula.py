"""A formula for the memory that a model takes on a CPU, by its recipe, rows and positions.

    memory = process + weights + cache + passes

- **process**: the interpreter, the libraries, the vocabulary and the graph: the same for all bundles.
- **weights**: what ONNX Runtime holds of them beside the mapped file.
- **cache**: the keys and values of all positions that tokens have reached, of all rows.
- **passes**: scratch memory of the longest pass, which ONNX Runtime keeps.

All of it is memory that the system cannot take back. The mapped files are counted apart: the system drops their pages
where memory is short and reads them again when they are needed. `benchmarks.micro.small_memory` compares the formula
with processes.
"""

from dataclasses import dataclass

from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.bundle import Manifest

MIB = 2**20

STARTED_BYTES = 21 * MIB
"""Memory of a process that has imported numpy and ONNX Runtime and loaded nothing."""

OPENED_BYTES = 28 * MIB
"""Memory that a loaded bundle takes beside its weights: the vocabulary, and the graph."""

CHUNK_TOKENS = 256
"""Most tokens of a row that a pass reads."""

_HALF_PRECISIONS = frozenset({"fp16", "bf16"})
_HELD_SHARES = {"fp16": 2.0, "bf16": 2.0, "int4": 1.05}
"""Bytes that are held of a byte of the file of weights: half precision becomes float32, and 4 bits are padded."""

_ROWS_OF_A_PASS = 2
"""Rows of which a pass reads whole chunks: more would be more than 512 tokens."""

_FLOAT_BYTES = 4


@dataclass(frozen=True)
class MemoryNeed:
    """Memory that a model takes on a CPU, in bytes.

    Attributes:
        process: the interpreter, libraries, vocabulary and graph.
        weights: the weights that ONNX Runtime holds beside the mapped file.
        cache: keys and values.
        passes: scratch memory of the longest pass.
        mapped: the mapped weights that every pass reads; the system may drop them and read them again.
    """

    process: int
    weights: int
    cache: int
    passes: int
    mapped: int

    @property
    def total(self) -> int:
        """The memory that the system cannot take back."""
        return self.process + self.weights + self.cache + self.passes


def memory_need(
    manifest: Manifest,
    *,
    rows: int = 1,
    positions: int = 0,
    prepack: bool = True,
    share_weights: bool = False,
) -> MemoryNeed:
    """Returns the memory that a model takes on a CPU, at its peak.

    Args:
        manifest: manifest of the bundle.
        rows: number of sequences that are continued together.
        positions: tokens of each, the new ones included; of beams, those of all branches.
        prepack: True if the weights are rearranged while loading; see `LoadOptions`.
        share_weights: True if the rearranged weights are mapped from a cache.
    """
    stored = weights_bytes(manifest)
    rearranged = stored - _table_bytes(manifest)
    is_mapped = share_weights or not (prepack or manifest.precision != "fp32")
    held = 0 if is_mapped else int(rearranged * _HELD_SHARES.get(manifest.precision, 1.0))
    return MemoryNeed(
        process=STARTED_BYTES + OPENED_BYTES,
        weights=held,
        cache=cache_bytes(manifest, rows, positions),
        passes=scratch_bytes(manifest, min(rows, _ROWS_OF_A_PASS) * min(positions, CHUNK_TOKENS), positions),
        mapped=stored if is_mapped else 0,
    )


def weights_bytes(manifest: Manifest) -> int:
    """Returns the size of a bundle's file of weights."""
    record = manifest.files.get(bundle.WEIGHTS_FILE)
    return 0 if record is None else record.size


def cache_bytes(manifest: Manifest, rows: int, positions: int) -> int:
    """Returns the bytes of the keys and values of so many positions of so many rows.

    With a cache in 8 bits, one row is in float32 beside those in 8 bits, to read text into.
    """
    shape = manifest.architecture
    if manifest.cache is not None:
        bytes_of_position = rows + _FLOAT_BYTES
    else:
        bytes_of_position = rows * (2 if manifest.precision in _HALF_PRECISIONS else _FLOAT_BYTES)
    return 2 * shape.num_layers * shape.hidden_size * positions * bytes_of_position


def scratch_bytes(manifest: Manifest, tokens: int, positions: int) -> int:
    """Returns the bytes that a pass needs for activations and attention scores, which ONNX Runtime keeps for others.

    Args:
        manifest: manifest of the bundle.
        tokens: tokens that the pass reads, of all rows.
        positions: tokens of the longest row, those before the pass included.
    """
    shape = manifest.architecture
    activations = tokens * (4 * shape.hidden_size + 2 * shape.intermediate_size)
    scores = tokens * positions * (shape.num_heads + 1)
    return _FLOAT_BYTES * (activations + scores)


def _table_bytes(manifest: Manifest) -> int:
    """Returns the bytes of an embedding table that stays mapped, because no head has a rearranged copy of it."""
    shape = manifest.architecture
    if manifest.head is None and shape.tied_head:
        return 0
    bytes_each = {"fp32": _FLOAT_BYTES, "fp16": 2, "bf16": 2}.get(manifest.precision, 1)
    return min(weights_bytes(manifest), bytes_each * shape.vocab_size * shape.hidden_size)
