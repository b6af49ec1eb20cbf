"""The graph's contract with the runtime: its inputs, its outputs, and what the manifest says of them."""

import onnx_ir as ir

from biogpt_onnx.export.graph.attention import AttentionInputs
from biogpt_onnx.export.graph.builder import Dimension, GraphBuilder
from biogpt_onnx.export.graph.decoder import Decoder, LayerChoices
from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.architecture import Architecture
from biogpt_onnx.runtime.bundle import TensorSpec

_BATCH, _SEQUENCE, _CAPACITY = "batch", "sequence", "capacity"
_IDS = (_BATCH, _SEQUENCE)


def build_causal_lm(architecture: Architecture, choices: LayerChoices) -> ir.Model:
    """One graph for prefill and decoding, without weights.

    Inputs: `input_ids` and `position_ids` int64 [batch, sequence]; `seqlens_k` int32 [batch], tokens in a row's cache
    after this step minus one; `total_sequence_length` int32 [], the largest of these counts; `attention_bias`
    [bias_batch, bias_heads, sequence, total]; `logits_indices` int64 [num_logits] into the batch * sequence rows;
    and each layer's cache, [batch, heads, capacity, head_size]. Bias and cache have the type that the network computes
    in, because the attention's operator takes no other.
    Outputs: `logits` float32 [num_logits, vocab], and each layer's cache again, to be bound to the memory of the
    input.
    """
    graph = GraphBuilder(choices.dtype)
    decoder = Decoder(graph, architecture, choices)
    input_ids = graph.input(bundle.INPUT_IDS, ir.DataType.INT64, _IDS)
    position_ids = graph.input(bundle.POSITION_IDS, ir.DataType.INT64, _IDS)
    shared = AttentionInputs(
        seqlens_k=graph.input(bundle.SEQLENS_K, ir.DataType.INT32, [_BATCH]),
        total_sequence_length=graph.input(bundle.TOTAL_SEQUENCE_LENGTH, ir.DataType.INT32, []),
        attention_bias=graph.input(
            bundle.ATTENTION_BIAS, choices.dtype, ["bias_batch", "bias_heads", _SEQUENCE, "total"]
        ),
    )
    logits_indices = graph.input(bundle.LOGITS_INDICES, ir.DataType.INT64, ["num_logits"])
    cache_shape: list[Dimension] = [_BATCH, architecture.num_heads, _CAPACITY, architecture.head_size]
    past = [
        (
            graph.input(bundle.past_name(layer, "key"), choices.dtype, cache_shape),
            graph.input(bundle.past_name(layer, "value"), choices.dtype, cache_shape),
        )
        for layer in range(architecture.num_layers)
    ]
    logits, present = decoder(input_ids, position_ids, past, shared, logits_indices)
    if choices.dtype != ir.DataType.FLOAT:
        with graph.scope("logits"):
            logits = graph.op("Cast", logits, to=ir.DataType.FLOAT.value)
    graph.output(logits, bundle.LOGITS, ir.DataType.FLOAT, ["num_logits", architecture.vocab_size])
    for layer, (key, value) in enumerate(present):
        graph.output(key, bundle.present_name(layer, "key"), choices.dtype, cache_shape)
        graph.output(value, bundle.present_name(layer, "value"), choices.dtype, cache_shape)
    return graph.build("biogpt")


def tensor_specs(values: list[ir.Value]) -> tuple[TensorSpec, ...]:
    """A graph's inputs or outputs as the manifest states them."""
    return tuple(_tensor_spec(value) for value in values)


def _tensor_spec(value: ir.Value) -> TensorSpec:
    if value.name is None or value.dtype is None or value.shape is None:
        raise ValueError(f"the graph's input or output {value.name} has no name, type or shape")
    shape = tuple(dim if isinstance(dim, int) else str(dim.value) for dim in value.shape)
    return TensorSpec(name=value.name, dtype=value.dtype.numpy().name, shape=shape)
