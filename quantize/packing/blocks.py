"""Block-wise quantization, in the layout of ONNX Runtime's MatMulNBits and GatherBlockQuantized."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from biogpt_onnx.quantize.bundle_weights import Values
from biogpt_onnx.quantize.packing.protocol import VALUES_AT_ONCE, Codes

_Bytes = npt.NDArray[np.uint8]

# With four bits, a scale that cuts or overshoots a block's largest value may have less error; with eight it has not.
_SCALE_FACTORS = np.linspace(0.80, 1.10, 16, dtype=np.float32)

# Pairwise summation: a row is halved down to this length, of which each eighth value belongs to the same partial sum.
_LONGEST_SUM = 128
_PARTIAL_SUMS = 8


@dataclass(frozen=True)
class Blocks:
    """Symmetric quantization: value = (code - 2^(bits-1)) * scale, one scale for each `size` values of a row.

    A row whose length is no multiple of the block is padded with zeros, as the operators demand.

    Attributes:
        bits: bits of a code; two codes of 4 bits share a byte, the first in its lower half.
        size: values of a block, a power of two of 16 or more.
    """

    bits: Literal[4, 8]
    size: int

    @property
    def dtype(self) -> ir.DataType:
        """Type of the codes' bytes."""
        return ir.DataType.UINT8

    def num_blocks(self, in_features: int) -> int:
        """Returns the number of blocks of a row."""
        return -(-in_features // self.size)

    def shapes(self, out_features: int, in_features: int) -> tuple[list[int], list[int]]:
        """Returns the shapes of codes, [out, blocks, bytes of a block], and scales, [out, blocks]."""
        num_blocks = self.num_blocks(in_features)
        return [out_features, num_blocks, self.size * self.bits // 8], [out_features, num_blocks]

    def pack(self, weight: Values) -> tuple[Codes, Values]:
        """Quantizes a matrix [out, in] to codes and scales of these shapes."""
        codes_shape, scales_shape = self.shapes(*weight.shape)
        codes, scales = np.empty(codes_shape, dtype=np.uint8), np.empty(scales_shape, dtype=np.float32)
        rows_at_once = max(1, VALUES_AT_ONCE // (scales_shape[1] * self.size))
        for start in range(0, len(weight), rows_at_once):
            rows = slice(start, start + rows_at_once)
            codes[rows], scales[rows] = self._pack_rows(weight[rows])
        return codes, scales

    def _pack_rows(self, weight: Values) -> tuple[_Bytes, Values]:
        num_rows, in_features = weight.shape
        num_blocks = self.num_blocks(in_features)
        padded = np.zeros((num_rows, num_blocks * self.size), dtype=np.float32)
        padded[:, :in_features] = weight
        # A column is a block, so that one operation goes along many blocks, each beside its own scale.
        blocks = np.ascontiguousarray(padded.reshape(-1, self.size).T)  # [size, rows * blocks]
        scales = _eight_bit_scales(blocks) if self.bits == 8 else best_scales(blocks)  # noqa: PLR2004 -- bits
        in_bytes = self._in_bytes(rounded(blocks, scales, self.bits, out=blocks))
        return in_bytes.T.reshape(num_rows, num_blocks, -1), scales.reshape(num_rows, num_blocks)

    def assembled(self, codes: Values, scales: Values) -> tuple[Codes, Values]:
        """Returns codes and scales in the form of `pack`, of those that were found otherwise.

        Args:
            codes: whole numbers from -2^(bits-1) to 2^(bits-1) - 1, [blocks * size, out].
            scales: their scales, [blocks, out].
        """
        in_bytes = self._in_bytes(codes)  # [blocks * bytes of a block, out]
        return np.ascontiguousarray(in_bytes.T).reshape(codes.shape[1], len(scales), -1), np.ascontiguousarray(scales.T)

    def _in_bytes(self, codes: Values) -> _Bytes:
        """Returns codes in bytes, down each column; alters what it is given."""
        codes += 1 << (self.bits - 1)
        whole = codes.astype(np.uint8)
        return whole if self.bits == 8 else _two_a_byte(whole)  # noqa: PLR2004 -- bits


def _two_a_byte(codes: _Bytes) -> _Bytes:
    return np.bitwise_or(codes[::2], np.left_shift(codes[1::2], np.uint8(4)))


def rounded(blocks: Values, scales: Values, bits: int, *, out: Values) -> Values:
    """Writes the nearest codes, from -2^(bits-1) to 2^(bits-1) - 1, of values to `out`, and returns it."""
    limit = 1 << (bits - 1)
    # A block of zeros (or so near to it that its scale vanishes) has the scale 0, which keeps it zeros in any product.
    np.divide(blocks, np.where(scales == 0, np.float32(1), scales), out=out)
    np.rint(out, out=out)
    return np.clip(out, -limit, limit - 1, out=out)


def _eight_bit_scales(blocks: Values) -> Values:
    return _without_subnormals(np.abs(blocks).max(axis=0) / np.float32(127))


def best_scales(blocks: Values) -> Values:
    """Returns the 4-bit scale of least squared error of each block, near the one that keeps its largest value exact.

    Codes reach from -8 to 7. The scale has the opposite sign of the value of largest magnitude, so that this value
    lies on the side that reaches further.

    Args:
        blocks: values, [size, blocks].
    """
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=0)[None], axis=0)[0]
    widest = _without_subnormals(largest / np.float32(-8))
    best = widest.copy()
    least = np.full(best.shape, np.inf, dtype=np.float32)
    errors = np.empty_like(blocks)
    for factor in _SCALE_FACTORS:
        scales = _without_subnormals(widest * factor)
        rounded(blocks, scales, 4, out=errors)
        errors *= scales
        errors -= blocks
        squared_error = _column_sums(np.square(errors, out=errors))
        np.copyto(best, scales, where=squared_error < least)
        np.minimum(squared_error, least, out=least)
    return best


def _column_sums(values: Values) -> Values:
    """Adds up each column of values [size, columns], in the order in which NumPy adds up a row of as many values.

    Of scales that are almost equally good, rounding decides. A fixed order chooses the same everywhere.
    """
    size, num_columns = values.shape
    if size > _LONGEST_SUM:
        half = size // 2
        return _column_sums(values[:half]) + _column_sums(values[half:])
    sums: Values = values.reshape(-1, _PARTIAL_SUMS, num_columns).sum(axis=0)
    while len(sums) > 1:
        sums = sums[::2] + sums[1::2]
    return sums.reshape(-1)


def _without_subnormals(scales: Values) -> Values:
    return np.where(np.abs(scales) < np.finfo(np.float32).tiny, np.float32(0), scales)
