"""Checkpoints of the published sizes with random weights, equal to the last bit on every machine."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.checkpoint.names import expected_shapes
from biogpt_onnx.export.checkpoint.placeholder_vocabulary import placeholder_vocabulary
from biogpt_onnx.export.checkpoint.tensor import CheckpointTensor
from biogpt_onnx.export.checkpoint.validate import Problems
from biogpt_onnx.export.checkpoint.vocabulary import Vocabulary, find_vocabulary, soft_prompt_size
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.errors import CheckpointError

PREFIX = "preset:"

PRESETS = {
    "biogpt": Architecture(
        num_layers=24,
        hidden_size=1024,
        num_heads=16,
        intermediate_size=4096,
        vocab_size=42_384,
        max_positions=1024,
    ),
    "biogpt-large": Architecture(
        num_layers=48,
        hidden_size=1600,
        num_heads=25,
        intermediate_size=6400,
        vocab_size=57_717,
        max_positions=2048,
    ),
}

_STANDARD_DEVIATION = 0.02  # initializer_range of the published configuration
# A uniform distribution of that deviation reaches sqrt(3) times as far to either side. Its values are odd multiples of
# 2^-24 of that reach, so that one float32 multiplication, rounded as IEEE 754 says, makes each of them.
_STEP = np.float32(_STANDARD_DEVIATION * 3**0.5 * 2.0**-24)
_BLOCK_VALUES = 64 * 1024  # few enough to stay in a processor's cache


def open_preset(name: str, *, vocabulary: Path | None = None, seed: int = 0) -> Checkpoint:
    """Makes a checkpoint of a published size with random weights.

    Args:
        name: "biogpt" or "biogpt-large".
        vocabulary: folder with a vocabulary of that size; by default a placeholder vocabulary that covers ASCII.
        seed: seed of the weights.

    Raises:
        CheckpointError: there is no such preset, or the vocabulary has another size.
    """
    if name not in PRESETS:
        raise CheckpointError(f"no preset {name!r}: there are {' and '.join(PREFIX + known for known in PRESETS)}")
    architecture = PRESETS[name]
    words = _vocabulary(name, architecture, vocabulary)
    tensors = {
        key: CheckpointTensor(key, shape, "float32", random_rows(key, shape, seed))
        for key, shape in expected_shapes(architecture).items()
    }
    return Checkpoint(
        architecture, tensors, words.symbols, words.merges, PREFIX + name + (f", seed {seed}" if seed else "")
    )


def random_rows(name: str, shape: tuple[int, ...], seed: int) -> Callable[[int, int], npt.NDArray[np.float32]]:
    """Returns a reader of a random tensor's rows, which depend on its name and the seed alone.

    Args:
        name: canonical name; gains of LayerNorms lie around 1, all other values around 0.
        shape: tensor's shape.
        seed: seed of all tensors.
    """
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    key = (int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little"))
    is_gain = name.endswith("layer_norm.weight")
    return partial(_rows, key, shape[1:], np.float32(1.0 if is_gain else 0.0))


def _rows(
    key: tuple[int, int], row_shape: tuple[int, ...], offset: np.float32, start: int, stop: int
) -> npt.NDArray[np.float32]:
    row_size = int(np.prod(row_shape, dtype=np.int64))
    first, last = start * row_size, stop * row_size
    values = np.empty(last - first, dtype=np.float32)
    for block in range(first // _BLOCK_VALUES, -(-last // _BLOCK_VALUES)):
        begin = block * _BLOCK_VALUES
        low, high = max(first, begin), min(last, begin + _BLOCK_VALUES)
        values[low - first : high - first] = _random_block(key, block)[low - begin : high - begin]
    return (values + offset).reshape(stop - start, *row_shape)


def _random_block(key: tuple[int, int], block: int) -> npt.NDArray[np.float32]:
    """Returns values block * _BLOCK_VALUES and onwards of the key's stream of random values."""
    # NumPy keeps the raw stream of a bit generator stable for good, but no distribution made from it. The generator
    # counts in the counter's lowest word, so blocks that differ in the next one never overlap.
    generator = np.random.Philox(
        key=np.array(key, dtype=np.uint64),
        counter=np.array([0, block, 0, 0], dtype=np.uint64),
    )
    words = generator.random_raw(_BLOCK_VALUES // 2)
    # The lower half of each word, then the upper one, whatever the machine's byte order.
    halves = words.astype("<u8", copy=False).view("<u4")
    # 25 bits, the last of them set: odd, so never 0 once centred, and then below 2^24, so exact in float32.
    odd = ((halves >> np.uint32(7)) | np.uint32(1)).astype(np.int32) - np.int32(2**24)
    return odd.astype(np.float32) * _STEP


def _vocabulary(name: str, architecture: Architecture, folder: Path | None) -> Vocabulary:
    if folder is None:
        return Vocabulary(*placeholder_vocabulary(architecture.vocab_size))
    problems = Problems()
    words = problems.collect(find_vocabulary, folder)
    if words and problems.collect(soft_prompt_size, architecture.vocab_size, words):
        problems.add(f"the vocabulary has {len(words.symbols):,} symbols, not {architecture.vocab_size:,}")
    if words is None or problems:
        raise problems.error(f"{PREFIX}{name} with the vocabulary of {folder}")
    return words
