"""Scales of a key-value cache in 8 bits, one for each channel of each layer's keys and values, from calibration text.

Keys are centered: the middle of each channel's range is subtracted from the bias of the projection that makes it. That
changes no answer, because a softmax over scores that all grow by the same number is the same, and a channel whose keys
lie far from 0 does not need a large scale for it (as the "smooth K" of SageAttention, Zhang et al. 2024,
arXiv:2410.02367, which takes the mean of the keys at hand).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir

from biogpt_onnx.export.graph.causal_lm import CacheScaleTensors
from biogpt_onnx.quantize.bundle_weights import ReadWeight, Values
from biogpt_onnx.quantize.calibration.observation import Ids
from biogpt_onnx.quantize.calibration.static_scales import scale_sequences
from biogpt_onnx.quantize.smoothing.smoothing import Scaling
from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.backends.chunks import chunks
from biogpt_onnx.runtime.backends.cpu.quantized_cache import LARGEST_CODE
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.bundle.linear_layers import decoder_linears
from biogpt_onnx.runtime.options import LoadOptions

# Scales are powers of this, so that the last bits of a magnitude, which differ from machine to machine, seldom change
# the bundle.
_RATIO = 2 ** (1 / 16)

_OF_AN_EMPTY_CHANNEL = 1 / 128
"""Scale of a channel that the calibration text leaves at 0."""

_LEAST_SEQUENCES = 2
"""Fewest sequences that are read."""

_NO_LOGITS = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class CacheScales:
    """Scales of a network's cache.

    Attributes:
        values: what each channel's codes are multiplied by, float32 [layers, 2, heads, head_size], keys first.
        key_centers: middle of the range of each channel of the keys, float32 [layers, hidden].
        tokens: tokens of the text that they are of.
    """

    values: Values
    key_centers: Values
    tokens: int

    def centered(self, architecture: Architecture, read: ReadWeight) -> ReadWeight:
        """Returns a reader of weights that subtracts the keys' centers from the bias of their projection."""
        layers = {decoder_linears(architecture, index).qkv.name: index for index in range(architecture.num_layers)}
        biases = {f"{name}.bias": index for name, index in layers.items()}

        def read_centered(name: str) -> Values:
            values = read(name)
            if name not in biases:
                return values
            query, key, value = np.split(values, 3)
            return np.concatenate([query, key - self.key_centers[biases[name]], value])

        return read_centered


def calibrate_cache(
    folder: Path,
    manifest: Manifest,
    smoothing: Mapping[str, Scaling],
    texts: Sequence[str] | None,
    *,
    check_memory: bool = True,
) -> CacheScales:
    """Returns scales with which no key and no value of the calibration text is clipped.

    Args:
        folder: float32 bundle.
        manifest: bundle's manifest.
        smoothing: factors of the weights, which the values have, too; see `smoothing`.
        texts: passages; see `long_sequences`.
        check_memory: False to make caches even where memory seems too small; see `LoadOptions`.
    """
    architecture = manifest.architecture
    session = DecoderSession(folder, manifest, LoadOptions(check_memory=check_memory), as_stored=True)
    sequences = long_sequences(folder, architecture, texts)
    shape = (architecture.num_layers, 2, architecture.num_heads, architecture.head_size)
    least, largest = np.full(shape, np.inf, dtype=np.float32), np.full(shape, -np.inf, dtype=np.float32)
    for ids in sequences:
        cache = session.new_cache(1, ids.shape[1])
        for chunk in chunks(0, ids.shape[1]):
            session.forward(ids[:, chunk], cache, logits_indices=_NO_LOGITS)
        for layer in range(architecture.num_layers):
            found = cache.values(layer, row=0)  # [2, heads, tokens, head_size]
            np.minimum(least[layer], found.min(axis=2), out=least[layer])
            np.maximum(largest[layer], found.max(axis=2), out=largest[layer])
    session.close()
    factors = _factors(architecture, smoothing)
    least, largest = least * factors, largest * factors
    magnitudes = np.maximum(np.abs(least), np.abs(largest))
    magnitudes[:, 0] = (largest[:, 0] - least[:, 0]) / 2
    scales = _scales(magnitudes)
    # On a grid as the scales are.
    centers = np.rint((least[:, 0] + largest[:, 0]) / 2 / scales[:, 0]) * scales[:, 0]
    centers = centers.reshape(architecture.num_layers, -1).astype(np.float32)
    return CacheScales(scales, centers, sum(ids.size for ids in sequences))


def long_sequences(folder: Path, architecture: Architecture, texts: Sequence[str] | None) -> list[Ids]:
    """Returns calibration text in sequences that fill all positions of the model, [1, positions] each.

    Keys and values drift with the position, which the model adds to its input: scales from short texts alone would clip
    nearly all of a channel behind the last of their positions.

    Args:
        folder: bundle's folder.
        architecture: network's shape.
        texts: passages, of which up to 48, spread over all, are joined, 128 tokens of each; None for the built-in ones,
            which are added where these have fewer than 1,000 tokens.
    """
    ids = np.concatenate(scale_sequences(folder, architecture, texts), axis=1)[0]
    positions = architecture.max_positions
    count = max(_LEAST_SEQUENCES, len(ids) // positions)
    # A short text is repeated.
    return [sequence[None] for sequence in np.resize(ids, (count, positions))]


def write_cache_scales(folder: Path, scales: CacheScales) -> CacheScaleTensors:
    """Writes scales into a bundle's folder, and returns each layer's as tensors of that file."""
    path = folder / bundle.CACHE_SCALES_FILE
    path.write_bytes(scales.values.astype("<f4").tobytes())
    _, _, heads, head_size = scales.values.shape
    length = heads * head_size * scales.values.itemsize

    def tensor(layer: int, part: int, name: str) -> ir.ExternalTensor:
        return ir.ExternalTensor(
            path.name,
            (2 * layer + part) * length,
            length,
            ir.DataType.FLOAT,
            shape=ir.Shape((1, heads, 1, head_size)),
            name=f"layers.{layer}.{name}_cache.scale",
            base_dir=folder,
        )

    return [(tensor(layer, 0, "key"), tensor(layer, 1, "value")) for layer in range(len(scales.values))]


def _factors(architecture: Architecture, smoothing: Mapping[str, Scaling]) -> Values:
    """Returns the factors that smoothing gives to keys and values, [layers, 2, heads, head_size]."""
    shape = (3, architecture.num_heads, architecture.head_size)
    factors = []
    for index in range(architecture.num_layers):
        rows = smoothing.get(f"{decoder_linears(architecture, index).qkv.name}.weight", Scaling()).rows
        factors.append(np.ones(shape, dtype=np.float32) if rows is None else rows.reshape(shape))
    return np.stack(factors)[:, 1:]


def _scales(largest: Values) -> Values:
    # Half a code is left for a center that is not quite that of the range.
    powers = np.ceil(np.log(np.where(largest > 0, largest, 1) / (LARGEST_CODE - 0.5)) / np.log(_RATIO))
    return np.where(largest > 0, _RATIO**powers, _OF_AN_EMPTY_CHANNEL).astype(np.float32)
