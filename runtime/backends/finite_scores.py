"""The refusal of scores that are no numbers, from which no search could choose a token."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.errors import BundleError

_MESSAGE = (
    "the model computes logits that are NaN or infinite, so that no token is the most likely: its weights are damaged, "
    "or too large for its precision; check it with `biogpt-onnx info --check`, export a sound checkpoint, or take the "
    "recipe bf16 instead of fp16"
)


def refuse_not_finite(logits: npt.NDArray[np.float32]) -> None:
    """Refuses logits of any shape that are not all finite.

    Raises:
        BundleError: a logit is NaN or infinite.
    """
    # A NaN among the values is the largest and the smallest of them. Unlike `isfinite`, this takes no memory.
    if logits.size and not (math.isfinite(logits.max()) and math.isfinite(logits.min())):
        raise BundleError(_MESSAGE)


def refuse_nan(log_probabilities: npt.NDArray[Any]) -> None:
    """Refuses log-probabilities that are NaN, as they are where a logit is NaN or plus infinity.

    Raises:
        BundleError: a log-probability is NaN.
    """
    if np.isnan(log_probabilities).any():
        raise BundleError(_MESSAGE)
