"""GPTQ: each weight is rounded, and those after it in its row make up for the error.

Frantar et al. 2022, arXiv:2210.17323. The error of a product is that of the rounding, weighed by the second moments
of its input: features that go together can stand in for each other.
"""

import numpy as np
import numpy.typing as npt

from biogpt_onnx.quantize.bundle_weights import Values
from biogpt_onnx.quantize.packing.blocks import Blocks, best_scales, rounded
from biogpt_onnx.quantize.packing.protocol import Codes

_Doubles = npt.NDArray[np.float64]

# Share of the mean second moment that is added to each feature's. What little text says of thousands of features is
# not to be trusted further: on the embedded checkpoint 0.1 loses less than 0.01.
_DAMPING = 0.1


def pack_by_gptq(weight: Values, moments: Values, packing: Blocks) -> tuple[Codes, Values]:
    """Quantizes a matrix to codes and scales that change its products with known inputs least.

    Args:
        weight: matrix [out, in].
        moments: second moments of the inputs, the sum of x xᵀ over tokens, [in, in].
        packing: blocks of 4 bits.

    Returns:
        Codes and scales, of the shapes and the meaning that `packing.pack` gives them.
    """
    out_features, in_features = weight.shape
    factor = _factor(moments)
    # A row is a feature of the input, so that one operation goes along all rows of the weight.
    left = np.zeros((packing.num_blocks(in_features) * packing.size, out_features), dtype=np.float32)
    left[:in_features] = weight.T
    scales = np.empty((len(left) // packing.size, out_features), dtype=np.float32)
    for number, first in enumerate(range(0, in_features, packing.size)):
        block = left[first : first + packing.size]
        scales[number] = best_scales(block)
        end = min(first + packing.size, in_features)
        errors = _round_block(block[: end - first], scales[number], factor[first:end, first:end], packing.bits)
        left[end:in_features] -= factor[first:end, end:].T @ errors
    return packing.assembled(left, scales)


def _round_block(block: Values, scales: Values, factor: Values, bits: int) -> Values:
    """Puts codes in the place of a block's values [features, out].

    Returns:
        Error of each value in units of what the values after it make up for, [features, out].
    """
    errors = np.empty_like(block)
    codes = np.empty_like(block[0])
    for feature, row in enumerate(block):
        rounded(row, scales, bits, out=codes)
        errors[feature] = (row - codes * scales) / factor[feature, feature]
        block[feature] = codes
        block[feature + 1 :] -= factor[feature, feature + 1 :, None] * errors[feature]
    return errors


def _factor(moments: Values) -> Values:
    """Returns the upper triangular U with UᵀU the inverse of the damped second moments."""
    damped: _Doubles = moments.astype(np.float64)
    mean = float(np.mean(np.diagonal(damped)))
    # Inputs that are zero throughout say nothing: any positive number then rounds to the nearest.
    damped[np.diag_indices_from(damped)] += _DAMPING * mean if mean > 0 else 1.0
    inverse = np.linalg.inv(damped)
    upper = np.linalg.cholesky((inverse + inverse.T) / 2).T
    return np.ascontiguousarray(upper, dtype=np.float32)
