"""What may follow each row, in the form in which a model gives it."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.model import Cache, SelectingModel, Selection

Following = Selection | npt.NDArray[np.float32]
"""The likeliest tokens of each row, selected on a device, or all logits, [rows, vocab]."""

CacheT = TypeVar("CacheT", bound=Cache)


def step(
    model: SelectingModel[CacheT], token_ids: npt.NDArray[np.int64], cache: CacheT, enough: int | None
) -> Following:
    """Appends a token to each row, [rows, 1], and has no more brought than what is enough to choose from.

    Args:
        model: the model.
        token_ids: the tokens.
        cache: of as many rows.
        enough: how many of the likeliest tokens of each row that is; None for all.
    """
    if enough is None or enough > model.most_selected:
        return model.forward(token_ids, cache)
    return model.forward_selected(token_ids, cache, enough)
