"""Inputs of a pass of tokens over a cache, common to all devices."""

from typing import Any

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.backends.protocol import Cache
from biogpt_onnx.runtime.ort.element_types import ElementType
from biogpt_onnx.runtime.ort.protocols import OnnxRuntime, OrtValue


def room_needed(cache: Cache, sequence: int) -> int:
    """Returns the number of tokens that the longest row holds after a pass of `sequence` tokens.

    Raises:
        ValueError: the cache has no room for them.
    """
    total = int(cache.lengths.max()) + sequence
    if total > cache.capacity:
        raise ValueError(f"the cache holds {cache.capacity} tokens a row, {total} are needed")
    return total


def pass_inputs(
    input_ids: npt.NDArray[np.int64],
    cache: Cache,
    position_ids: npt.NDArray[np.int64] | None,
    logits_indices: npt.NDArray[np.int64] | None,
    num_tokens: npt.NDArray[np.int64] | None = None,
) -> dict[str, npt.NDArray[Any]]:
    """Returns the inputs that every graph takes, by their names.

    Args:
        input_ids: token ids, [batch, sequence].
        cache: cache of `batch` rows.
        position_ids: positions of the tokens, [batch, sequence]; None to go on from the cache's lengths.
        logits_indices: rows of the flattened batch * sequence whose logits are requested, [num_logits]; None for each
            row's last.
        num_tokens: new tokens of each row, which come before its padding, [batch]; None where no row is padded.

    Raises:
        ValueError: the cache has no room for the tokens with their padding.
    """
    batch_size, sequence = input_ids.shape
    # The attention's operator wants room for padding, too, although it writes none.
    total = room_needed(cache, sequence)
    if num_tokens is not None:
        total = int((cache.lengths + num_tokens).max())
    if position_ids is None:
        position_ids = cache.lengths[:, None] + np.arange(sequence)
    if logits_indices is None:
        logits_indices = np.arange(batch_size) * sequence + (sequence if num_tokens is None else num_tokens) - 1
    return {
        bundle.INPUT_IDS: input_ids,
        bundle.POSITION_IDS: position_ids,
        bundle.TOTAL_SEQUENCE_LENGTH: np.array(total, dtype=np.int32),
        bundle.LOGITS_INDICES: logits_indices,
    }


def seqlens_k(cache: Cache, sequence: int | npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Returns the input `seqlens_k` of the graph with attention bias: each row's last position, [batch]."""
    return (cache.lengths + (sequence - 1)).astype(np.int32)


def input_value(onnxruntime: OnnxRuntime, element_type: ElementType, name: str, array: npt.NDArray[Any]) -> OrtValue:
    """Returns an input as a tensor over the same memory. Only the attention bias may be in half precision."""
    if name == bundle.ATTENTION_BIAS:
        return element_type.ort_value(onnxruntime, array)
    return onnxruntime.OrtValue.ortvalue_from_numpy(array)
