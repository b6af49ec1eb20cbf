"""Self-attention over a cache that is updated in place."""

from dataclasses import dataclass
from typing import Protocol

import onnx_ir as ir

from biogpt_onnx.export.graph.builder import MICROSOFT, GraphBuilder
from biogpt_onnx.runtime.errors import CheckpointError

_HEAD_SIZE_STEP = 8


@dataclass(frozen=True)
class AttentionInputs:
    """What every layer's attention shares.

    Attributes:
        seqlens_k: int32 [batch], tokens in a row's cache after this step, minus one.
        total_sequence_length: int32 scalar, the largest count of tokens that any row's cache holds after this step.
        attention_bias: float [batch or 1, heads or 1, sequence, total], added to the scores; the mask is causal anyway.
            None where each row is one chain of tokens, so that the causal mask is all there is to say: on a GPU only
            then is attention computed by the fast kernels.
    """

    seqlens_k: ir.Value
    total_sequence_length: ir.Value
    attention_bias: ir.Value | None


class Attention(Protocol):
    """The choice of a device's attention operator."""

    def __call__(
        self, graph: GraphBuilder, qkv: ir.Value, past_key: ir.Value, past_value: ir.Value, shared: AttentionInputs
    ) -> tuple[ir.Value, ir.Value, ir.Value]:
        """Attends.

        Args:
            graph: where the nodes go.
            qkv: float [batch, sequence, 3 * hidden], a token's query, key and value side by side.
            past_key: float [batch, heads, capacity, head_size].
            past_value: likewise.
            shared: see `AttentionInputs`.

        Returns:
            The mix of values [batch, sequence, hidden], and the cache with this step's keys and values in it, which is
            the same memory when the caller binds it so.
        """
        ...


@dataclass(frozen=True)
class GroupQueryAttention:
    """ONNX Runtime's GroupQueryAttention with as many key heads as query heads.

    It is the one operator of ONNX Runtime's that writes into a cache in place, takes ragged rows, and takes a bias
    with which one cache can hold a tree of continuations. It scales by 1 / sqrt(head_size) itself.

    Raises:
        CheckpointError: heads of a size that the operator does not compute; BioGPT's have 64.
    """

    num_heads: int
    head_size: int

    def __post_init__(self) -> None:
        """Refuses what would fail only when the graph runs."""
        if self.head_size % _HEAD_SIZE_STEP:
            raise CheckpointError(
                f"the head size is {self.head_size}: ONNX Runtime's attention needs a multiple of {_HEAD_SIZE_STEP}"
            )

    def __call__(
        self, graph: GraphBuilder, qkv: ir.Value, past_key: ir.Value, past_value: ir.Value, shared: AttentionInputs
    ) -> tuple[ir.Value, ir.Value, ir.Value]:
        """See `Attention`."""
        packed, rotary, positions = None, None, None
        mixed, key, value = graph.op_outputs(
            3,
            "GroupQueryAttention",
            qkv,
            packed,
            packed,
            past_key,
            past_value,
            shared.seqlens_k,
            shared.total_sequence_length,
            rotary,
            rotary,
            positions,
            shared.attention_bias,
            domain=MICROSOFT,
            num_heads=self.num_heads,
            kv_num_heads=self.num_heads,
            do_rotary=0,
        )
        return mixed, key, value
