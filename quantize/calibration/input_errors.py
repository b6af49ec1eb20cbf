"""Errors of a product of integers, by how its input is quantized: with a scale for each row, or one for all rows.

Rounding to codes that are d apart adds an error of d^2 / 12 to each value, whatever the value is; what is beyond a
scale's limit adds its excess squared. The error of an input feature counts by the energy of the weights that multiply
it. On the embedded checkpoint, such an estimate is within a tenth of the error of the products themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from biogpt_onnx.quantize.bundle_weights import Values
from biogpt_onnx.quantize.packing.rows import Rows
from biogpt_onnx.quantize.packing.static_scale import static_scale

_Doubles = npt.NDArray[np.float64]

_ROUNDING = 1 / 12
_ROW_CODES = 127


@dataclass(frozen=True)
class LimitErrors:
    """Errors with one scale for all rows, by the limit up to which it holds values.

    Attributes:
        limits: limits of magnitudes, [limits].
        error_to_rows: error of the product to that with a scale for each row, the mean over all tokens, [limits].
        largest_loss: largest share of a token's output energy that is clipped, [limits].
        clipped_tokens: share of tokens of which a value is clipped, [limits].
        clipped_values: share of values that are clipped, [limits].
    """

    limits: _Doubles
    error_to_rows: _Doubles
    largest_loss: _Doubles
    clipped_tokens: _Doubles
    clipped_values: _Doubles


class InputErrors:
    """Errors of one product on the inputs that are added.

    Args:
        weight: weight [out, in] of the product, smoothed.
        packing: packing of the weight, whose rounding counts too.
        limits: limits of magnitudes to compare, ascending.
        behind_gelu: True for an input that is the result of a GELU.
    """

    def __init__(self, weight: Values, packing: Rows, limits: Sequence[float], *, behind_gelu: bool) -> None:
        self._limits, self._behind_gelu = np.array(limits), behind_gelu
        self._energies: _Doubles = np.square(weight, dtype=np.float64).sum(axis=0)  # [in]
        steps = np.abs(weight).max(axis=1).astype(np.float64) / packing.largest
        self._weight_error = _ROUNDING * float(np.square(steps).sum())
        self._features = weight.shape[1]
        self._largest: list[_Doubles] = []  # [tokens] each
        self._squares: list[_Doubles] = []
        self._outputs: list[_Doubles] = []
        self._excess: list[_Doubles] = []  # [limits, tokens] each
        self._clipped: list[npt.NDArray[np.int64]] = []

    def add(self, x: Values) -> None:
        """Adds inputs [tokens, in]."""
        magnitudes = np.abs(x)
        squares = np.square(x, dtype=np.float64)
        self._largest.append(magnitudes.max(axis=1).astype(np.float64))
        self._squares.append(squares.sum(axis=1))
        self._outputs.append(squares @ self._energies)
        # Few values are beyond the lowest limit.
        tokens, features = np.nonzero(magnitudes > self._limits[0])
        large, energies = magnitudes[tokens, features].astype(np.float64), self._energies[features]
        beyond = large - self._limits[:, None]  # [limits, values]
        excess = np.square(np.maximum(beyond, 0)) * energies
        self._excess.append(np.stack([np.bincount(tokens, row, len(x)) for row in excess]))
        self._clipped.append(np.stack([np.bincount(tokens, row, len(x)) for row in beyond > 0]).astype(np.int64))

    def by_limit(self) -> LimitErrors:
        """Returns the errors over all inputs that were added, at least one token."""
        largest, squares, outputs = (np.concatenate(parts) for parts in (self._largest, self._squares, self._outputs))
        excess, clipped = np.concatenate(self._excess, axis=1), np.concatenate(self._clipped, axis=1)
        # A small output changes the residual stream little, so that its error counts beside the usual output's energy.
        scale = np.maximum(outputs, np.median(outputs))
        scale = np.where(scale > 0, scale, 1)
        weights = self._weight_error * squares
        energy = _ROUNDING * self._energies.sum()
        rows = ((np.square(largest / _ROW_CODES) * energy + weights) / scale).mean()
        steps = [static_scale(limit, behind_gelu=self._behind_gelu).scale for limit in self._limits.tolist()]
        errors = ((np.square(steps)[:, None] * energy + excess + weights) / scale).mean(axis=1)
        return LimitErrors(
            limits=self._limits,
            error_to_rows=errors / rows if rows > 0 else np.full(len(errors), np.inf),
            largest_loss=(excess / scale).max(axis=1),
            clipped_tokens=(clipped > 0).mean(axis=1),
            clipped_values=clipped.sum(axis=1) / (clipped.shape[1] * self._features),
        )
