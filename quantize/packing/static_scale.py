"""Static quantization of activations: one scale for all rows of a product's input, known before the model runs."""

from dataclasses import dataclass

import numpy as np

_LARGEST_CODE = 255
_SYMMETRIC_CODES = 127
_MIDDLE_CODE = 128

# The least value of the exact GELU, rounded away from zero.
_GELU_MINIMUM = -0.17


@dataclass(frozen=True)
class StaticScale:
    """Quantization of a product's input to unsigned 8 bits: value = (code - zero point) * scale.

    Attributes:
        scale: distance of two codes, float32.
        zero_point: code of the value 0.
    """

    scale: float
    zero_point: int


def static_scale(limit: float, *, behind_gelu: bool) -> StaticScale:
    """Returns the finest scale that holds the values up to a limit.

    Args:
        limit: largest magnitude that is held.
        behind_gelu: True for values of a GELU, which are never below -0.17, so that nearly all codes are for positive
            values.
    """
    if not behind_gelu:
        return StaticScale(_float32(limit / _SYMMETRIC_CODES), _MIDDLE_CODE)
    scale = _float32((limit - _GELU_MINIMUM) / _LARGEST_CODE)
    return StaticScale(scale, round(-_GELU_MINIMUM / scale))


def _float32(value: float) -> float:
    return float(np.float32(value))
