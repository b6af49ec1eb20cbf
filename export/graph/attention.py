"""Self-attention over a key-value cache that is updated in place."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import onnx_ir as ir

from biogpt_onnx.export.graph.builder import MICROSOFT, Attribute, GraphBuilder
from biogpt_onnx.runtime.errors import CheckpointError

_HEAD_SIZE_STEP = 8
_ATTENTION_INPUTS_TO_NORMS = 6
"""Number of the operator's inputs from the bias to the norms: bias, sink, two scales and two norms."""

# Values of the operator's attributes for a cache in 8 bits.
_PER_CHANNEL, _CACHE_BITS = "PER_CHANNEL", 8


class LayerCache(NamedTuple):
    """A layer's cached keys and values in a graph.

    Attributes:
        key: keys, [batch, heads, capacity, head_size].
        value: values, [batch, heads, capacity, head_size].
        key_scale: float [1, heads, 1, head_size], what each channel of keys in 8 bits is multiplied by; None where they
            have the network's own type.
        value_scale: the scale of each channel of the values; None as for the keys.
    """

    key: ir.Value
    value: ir.Value
    key_scale: ir.Value | None = None
    value_scale: ir.Value | None = None


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
        self, graph: GraphBuilder, qkv: ir.Value, past: LayerCache, shared: AttentionInputs
    ) -> tuple[ir.Value, LayerCache]:
        """Adds the attention's nodes.

        Args:
            graph: graph to add to.
            qkv: float [batch, sequence, 3 * hidden], a token's query, key and value side by side.
            past: cached keys and values.
            shared: inputs that are the same for every layer.

        Returns:
            The attention's result [batch, sequence, hidden], and the keys and values with this step's in them. These
            are the memory of `past` where the caller binds them so.
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
        self, graph: GraphBuilder, qkv: ir.Value, past: LayerCache, shared: AttentionInputs
    ) -> tuple[ir.Value, LayerCache]:
        """Adds the operator; arguments and result are those of `Attention`."""
        # In the operator's order; query, key and value come in one, so that key and value are absent.
        absent_key, absent_value, rotary_cos, rotary_sin, position_ids, head_sink = None, None, None, None, None, None
        inputs = [shared.attention_bias]
        attributes: dict[str, Attribute] = {}
        if past.key_scale is not None:
            inputs += [head_sink, past.key_scale, past.value_scale]
            attributes = {"k_quant_type": _PER_CHANNEL, "v_quant_type": _PER_CHANNEL, "kv_cache_bit_width": _CACHE_BITS}
        if shared.query_seqlens is not None:
            # Versions of the operator that do not know this last input take no graph that names it.
            inputs += [None] * (_ATTENTION_INPUTS_TO_NORMS - len(inputs)) + [shared.query_seqlens]
        mixed, key, value = graph.op_outputs(
            3,
            "GroupQueryAttention",
            qkv,
            absent_key,
            absent_value,
            past.key,
            past.value,
            shared.seqlens_k,
            shared.total_sequence_length,
            rotary_cos,
            rotary_sin,
            position_ids,
            *inputs,
            domain=MICROSOFT,
            num_heads=self.num_heads,
            kv_num_heads=self.num_heads,
            do_rotary=0,
            **attributes,
        )
        return mixed, LayerCache(key, value)
