"""Self-attention over a key-value cache that is updated in place."""

from dataclasses import dataclass
from typing import Protocol

import onnx_ir as ir

from biogpt_onnx.export.graph.builder import MICROSOFT, GraphBuilder
from biogpt_onnx.runtime.errors import CheckpointError

_HEAD_SIZE_STEP = 8


@dataclass(frozen=True)
class AttentionInputs:
    """Inputs that the attention of every layer shares.

    Attributes:
        seqlens_k: int32 [batch], tokens in a row's cache after this step, minus one.
        total_sequence_length: int32 scalar, the largest count of tokens that any row's cache holds after this step.
        attention_bias: float [batch or 1, heads or 1, sequence, total], added to the scores; the mask is causal anyway.
            None where each row is one sequence of consecutive tokens, for which the causal mask is enough: on a GPU
            only then is attention computed by the fast kernels.
        query_seqlens: int32 [batch], new tokens of each row, which come before its padding; None where no row is padded
            and, once the cache holds something, only a single row has several new tokens.
    """

    seqlens_k: ir.Value
    total_sequence_length: ir.Value
    attention_bias: ir.Value | None
    query_seqlens: ir.Value | None = None


class Attention(Protocol):
    """Attention operator of a device."""

    def __call__(
        self, graph: GraphBuilder, qkv: ir.Value, past_key: ir.Value, past_value: ir.Value, shared: AttentionInputs
    ) -> tuple[ir.Value, ir.Value, ir.Value]:
        """Adds the attention's nodes.

        Args:
            graph: graph to add to.
            qkv: float [batch, sequence, 3 * hidden], a token's query, key and value side by side.
            past_key: float [batch, heads, capacity, head_size], the cached keys.
            past_value: float [batch, heads, capacity, head_size], the cached values.
            shared: inputs that are the same for every layer.

        Returns:
            The attention's result [batch, sequence, hidden], and the keys and values [batch, heads, capacity,
            head_size] with this step's in them. These are the memory of `past_key` and `past_value` where the caller
            binds them so.
        """
        ...


@dataclass(frozen=True)
class GroupQueryAttention:
    """ONNX Runtime's GroupQueryAttention with as many key heads as query heads.

    It is the one operator of ONNX Runtime that writes into a cache in place, takes ragged rows, and takes a bias with
    which one cache can hold a tree of continuations. It scales by 1 / sqrt(head_size) itself.

    Attributes:
        num_heads: attention heads.
        head_size: dimensions of a head.

    Raises:
        CheckpointError: the operator does not compute heads of this size; BioGPT's have 64.
    """

    num_heads: int
    head_size: int

    def __post_init__(self) -> None:
        """Refuses a head size that would fail only when the graph runs."""
        if self.head_size % _HEAD_SIZE_STEP:
            raise CheckpointError(
                f"the head size is {self.head_size}: ONNX Runtime's attention needs a multiple of {_HEAD_SIZE_STEP}"
            )

    def __call__(
        self, graph: GraphBuilder, qkv: ir.Value, past_key: ir.Value, past_value: ir.Value, shared: AttentionInputs
    ) -> tuple[ir.Value, ir.Value, ir.Value]:
        """Adds the operator; arguments and result are those of `Attention`."""
        # In the operator's order; query, key and value come in one, so that key and value are absent.
        absent_key, absent_value, rotary_cos, rotary_sin, position_ids = None, None, None, None, None
        head_sink, key_scale, value_scale, query_norm, key_norm = None, None, None, None, None
        # Versions of the operator that do not know the last input take no graph that names it.
        ragged = (
            ()
            if shared.query_seqlens is None
            else (head_sink, key_scale, value_scale, query_norm, key_norm, shared.query_seqlens)
        )
        mixed, key, value = graph.op_outputs(
            3,
            "GroupQueryAttention",
            qkv,
            absent_key,
            absent_value,
            past_key,
            past_value,
            shared.seqlens_k,
            shared.total_sequence_length,
            rotary_cos,
            rotary_sin,
            position_ids,
            shared.attention_bias,
            *ragged,
            domain=MICROSOFT,
            num_heads=self.num_heads,
            kv_num_heads=self.num_heads,
            do_rotary=0,
        )
        return mixed, key, value
