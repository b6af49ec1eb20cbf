"""Builders of a bundle's graphs: their inputs and outputs, which are the contract with the runtime."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from biogpt_onnx.export.graph.attention import AttentionInputs, LayerCache
from biogpt_onnx.export.graph.builder import Dimension, GraphBuilder
from biogpt_onnx.export.graph.decoder import Decoder, LayerChoices
from biogpt_onnx.export.graph.row_groups import LayerCaches, first_group, only_group, steps_group
from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.bundle import TensorSpec
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.bundle.classification_head import ClassificationHead

CacheScaleTensors = Sequence[tuple[ir.ExternalTensor, ir.ExternalTensor]]
"""Each layer's scales of the keys and of the values in 8 bits, float32 [1, heads, 1, head_size]."""

_BATCH, _SEQUENCE = "batch", "sequence"
_IDS = (_BATCH, _SEQUENCE)


class _CacheForm(NamedTuple):
    """Names of a cache's dimensions, and its type; None for that in which the network computes."""

    rows: str
    capacity: str
    dtype: ir.DataType | None = None


_CACHE = _CacheForm(_BATCH, "capacity")
_STEP_CACHE = _CacheForm("step_slots", "step_capacity")
_QUANTIZED_STEP_CACHE = _STEP_CACHE._replace(dtype=ir.DataType.INT8)
_ALL_ROWS = np.array([np.iinfo(np.int64).max])


def build_causal_lm(
    architecture: Architecture, choices: LayerChoices, head: ClassificationHead | None = None
) -> ir.Model:
    """Builds a bundle's first graph, which does prefill and decoding, without weights.

    Hidden states cost nothing where nobody asks for them: they are what the head reads anyway. Where they alone are
    asked for, `logits_limit` spares the head, which for a whole text would compute logits of the whole vocabulary for
    each token.

    Inputs: `input_ids` and `position_ids` int64 [batch, sequence]; `seqlens_k` int32 [batch], tokens in a row's cache
    after this step minus one; `total_sequence_length` int32 [], the largest count of tokens in any row's cache after
    this step; `attention_bias` [bias_batch, bias_heads, sequence, total]; `logits_indices` int64 [num_logits] into the
    batch * sequence rows; and each layer's keys and values, [batch, heads, capacity, head_size]. Bias and cache have
    the type that the network computes in, because the attention's operator takes no other. `logits_limit` int64 [1]
    need not be given: the number of the requested rows, from the first, whose logits are computed; by default all.
    Outputs: `logits` float32 [num_logits, vocab]; `hidden_states` float32 [num_logits, hidden], those behind the last
    normalization; and each layer's keys and values with this step's in them, to be bound to the memory of the inputs.

    Args:
        architecture: network's shape.
        choices: layers that it is built of.
        head: classification head in the place of the language-model head, so that logits are [num_logits, labels];
            None for a language model.
    """
    graph = GraphBuilder(choices.dtype)
    return _decoder_of_one_group(graph, architecture, choices, head).build("biogpt")


def build_ragged_graph(architecture: Architecture, choices: LayerChoices) -> ir.Model:
    """Builds the ragged graph, in which each row of a batch gets any number of tokens in one pass.

    It computes what the first graph computes. Rows with fewer new tokens than others are padded behind these, and every
    row has a past and an attention bias of its own, so that trees of tokens in several rows grow in one pass. Only
    ONNX Runtime 1.32 and later have the attention's input for it.

    Inputs and outputs: those of `build_causal_lm`, and `query_seqlens` int32 [batch], the number of a row's new tokens.
    `total_sequence_length` counts no padding, and what a row of padding computes is undefined.

    Args:
        architecture: network's shape.
        choices: layers that it is built of.
    """
    graph = GraphBuilder(choices.dtype)
    return _decoder_of_one_group(graph, architecture, choices, is_ragged=True).build("biogpt_ragged")


def build_mixed_graph(
    architecture: Architecture, choices: LayerChoices, cache_scales: CacheScaleTensors | None = None
) -> ir.Model:
    """Builds the mixed graph, with which a server reads a piece of a prompt and steps other sequences in one pass.

    It computes what the first graph computes, and steps any number of further sequences, which have a cache of their
    own. All tokens are the rows of the same products, so that weights are read once. Only attention is divided, because
    a sequence's step is rounded as it is alone only by an operator that takes steps alone.

    Inputs and outputs: those of `build_causal_lm`. `step_ids` and `step_position_ids` int64 [steps, step_tokens], the
    next tokens of each sequence that steps and their positions, of which the first is the number of tokens in its
    cache; their rows come behind the batch * sequence others, which `logits_indices` counts. Each layer's keys and
    values of the steps as inputs and outputs, [step_slots, heads, step_capacity, head_size], where `step_slots` is
    `steps`, or 1 if there are none: then the memory at the first token is overwritten.

    With scales, the steps have a cache in 8 bits, and there may be steps alone: `input_ids` and `position_ids` are
    [1, 0] then, and `seqlens_k`, `total_sequence_length`, the bias and the cache are those of one token, which is
    overwritten.

    Args:
        architecture: network's shape.
        choices: layers that it is built of.
        cache_scales: scales of the steps' keys and values; None where they are cached in the network's own type.
    """
    graph = GraphBuilder(choices.dtype)
    decoder = Decoder(graph, architecture, choices)
    input_ids, position_ids = _ids(graph)
    shared = _shared(graph)
    logits_indices = graph.input(bundle.LOGITS_INDICES, ir.DataType.INT64, ["num_logits"])
    past = _past(graph, architecture)
    step_ids, step_position_ids = (
        graph.input(name, ir.DataType.INT64, ["steps", "step_tokens"])
        for name in (bundle.STEP_IDS, bundle.STEP_POSITION_IDS)
    )
    step_cache = _STEP_CACHE if cache_scales is None else _QUANTIZED_STEP_CACHE
    step_past = _past(graph, architecture, bundle.step_past_name, step_cache, cache_scales)
    logits_limit = graph.optional_input(bundle.LOGITS_LIMIT, _ALL_ROWS)
    first = first_group(graph, input_ids, past, shared, may_be_empty=cache_scales is not None)
    steps = steps_group(graph, step_position_ids, first, step_past)
    ids, positions = _joined(graph, input_ids, step_ids), _joined(graph, position_ids, step_position_ids)
    outputs = decoder(ids, positions, [first, steps], logits_indices, logits_limit)
    _float_output(graph, outputs.logits, bundle.LOGITS, architecture.vocab_size)
    _present(graph, architecture, outputs.present[0])
    _float_output(graph, outputs.hidden_states, bundle.HIDDEN_STATES, architecture.hidden_size)
    _present(graph, architecture, outputs.present[1], bundle.step_present_name, step_cache)
    return graph.build("biogpt_mixed")


def build_causal_graph(architecture: Architecture, choices: LayerChoices) -> ir.Model:
    """Builds the causal graph, the second graph of bundles for GPUs, without weights.

    It computes what the first graph computes for rows of consecutive tokens, which need no attention bias. Without a
    bias the CUDA provider's attention runs its fast kernels. The most likely token is chosen on the device, so that a
    step need not copy the logits to the host.

    Inputs: `input_ids`, `position_ids`, `logits_indices` and each layer's keys and values as those of
    `build_causal_lm`; `total_sequence_length` int32 [], anything from the largest count of tokens in a row after this
    step to the cache's capacity. How many tokens a row's cache holds follows from its last position.
    Outputs: `logits` and each layer's keys and values as those of `build_causal_lm`; and the most likely token of each
    row of logits, the first of equal ones: `best_ids` int64 [num_logits, 1] and `best_log_probabilities` float32
    [num_logits, 1], in nats.
    """
    graph = GraphBuilder(choices.dtype)
    decoder = Decoder(graph, architecture, choices)
    input_ids, position_ids = _ids(graph)
    with graph.scope("seqlens_k"):
        last = graph.op("Gather", position_ids, graph.constant("last", np.array(-1)), axis=1)  # [batch]
        seqlens_k = graph.op("Cast", last, to=ir.DataType.INT32.value)
    shared = AttentionInputs(
        seqlens_k=seqlens_k,
        total_sequence_length=graph.input(bundle.TOTAL_SEQUENCE_LENGTH, ir.DataType.INT32, []),
        attention_bias=None,
    )
    logits_indices = graph.input(bundle.LOGITS_INDICES, ir.DataType.INT64, ["num_logits"])
    past = _past(graph, architecture)
    group = only_group(graph, input_ids, past, shared)
    outputs = decoder(input_ids, position_ids, [group], logits_indices)
    logits = _float_output(graph, outputs.logits, bundle.LOGITS, architecture.vocab_size)
    ids, log_probabilities = _best(graph, logits, architecture.vocab_size)
    graph.output(ids, bundle.BEST_IDS, ir.DataType.INT64, ["num_logits", 1])
    graph.output(log_probabilities, bundle.BEST_LOG_PROBABILITIES, ir.DataType.FLOAT, ["num_logits", 1])
    _present(graph, architecture, outputs.present[0])
    return graph.build("biogpt_causal")


def _decoder_of_one_group(
    graph: GraphBuilder,
    architecture: Architecture,
    choices: LayerChoices,
    head: ClassificationHead | None = None,
    *,
    is_ragged: bool = False,
) -> GraphBuilder:
    """Adds the whole decoder, all rows of which go through one attention operator; returns the graph."""
    decoder = Decoder(graph, architecture, choices, head)
    input_ids, position_ids = _ids(graph)
    shared = _shared(graph)
    if is_ragged:
        query_seqlens = graph.input(bundle.QUERY_SEQLENS, ir.DataType.INT32, [_BATCH])
        shared = dataclasses.replace(shared, query_seqlens=query_seqlens)
    logits_indices = graph.input(bundle.LOGITS_INDICES, ir.DataType.INT64, ["num_logits"])
    past = _past(graph, architecture)
    logits_limit = graph.optional_input(bundle.LOGITS_LIMIT, _ALL_ROWS)
    group = only_group(graph, input_ids, past, shared)
    outputs = decoder(input_ids, position_ids, [group], logits_indices, logits_limit)
    num_logits = architecture.vocab_size if head is None else head.num_labels
    _float_output(graph, outputs.logits, bundle.LOGITS, num_logits)
    _present(graph, architecture, outputs.present[0])
    _float_output(graph, outputs.hidden_states, bundle.HIDDEN_STATES, architecture.hidden_size)
    return graph


def _ids(graph: GraphBuilder) -> tuple[ir.Value, ir.Value]:
    input_ids = graph.input(bundle.INPUT_IDS, ir.DataType.INT64, _IDS)
    return input_ids, graph.input(bundle.POSITION_IDS, ir.DataType.INT64, _IDS)


def _shared(graph: GraphBuilder) -> AttentionInputs:
    return AttentionInputs(
        seqlens_k=graph.input(bundle.SEQLENS_K, ir.DataType.INT32, [_BATCH]),
        total_sequence_length=graph.input(bundle.TOTAL_SEQUENCE_LENGTH, ir.DataType.INT32, []),
        attention_bias=graph.input(
            bundle.ATTENTION_BIAS, graph.dtype, ["bias_batch", "bias_heads", _SEQUENCE, "total"]
        ),
    )


def _joined(graph: GraphBuilder, first: ir.Value, steps: ir.Value) -> ir.Value:
    """Puts the values of all rows side by side: int64 [1, rows]."""
    with graph.scope("all_rows"):
        one_sequence = graph.constant("one_sequence", np.array([1, -1]))
        parts = [graph.op("Reshape", values, one_sequence) for values in (first, steps)]
        return graph.op("Concat", *parts, axis=1)


def _past(
    graph: GraphBuilder,
    architecture: Architecture,
    name: Callable[[int, str], str] = bundle.past_name,
    form: _CacheForm = _CACHE,
    scales: CacheScaleTensors | None = None,
) -> LayerCaches:
    shape, dtype = _cache_shape(architecture, form), form.dtype or graph.dtype
    caches: LayerCaches = []
    for layer in range(architecture.num_layers):
        key, value = (graph.input(name(layer, part), dtype, shape) for part in ("key", "value"))
        layer_scales = () if scales is None else map(graph.stored_constant, scales[layer])
        caches.append(LayerCache(key, value, *layer_scales))
    return caches


def _present(
    graph: GraphBuilder,
    architecture: Architecture,
    present: LayerCaches,
    name: Callable[[int, str], str] = bundle.present_name,
    form: _CacheForm = _CACHE,
) -> None:
    shape, dtype = _cache_shape(architecture, form), form.dtype or graph.dtype
    for layer, cache in enumerate(present):
        graph.output(cache.key, name(layer, "key"), dtype, shape)
        graph.output(cache.value, name(layer, "value"), dtype, shape)


def _cache_shape(architecture: Architecture, form: _CacheForm) -> list[Dimension]:
    return [form.rows, architecture.num_heads, form.capacity, architecture.head_size]


def _float_output(graph: GraphBuilder, value: ir.Value, name: str, features: int) -> ir.Value:
    if graph.dtype != ir.DataType.FLOAT:
        with graph.scope(name):
            value = graph.op("Cast", value, to=ir.DataType.FLOAT.value)
    graph.output(value, name, ir.DataType.FLOAT, ["num_logits", features])
    return value


def _best(graph: GraphBuilder, logits: ir.Value, vocab_size: int) -> tuple[ir.Value, ir.Value]:
    """Adds the search for each row's most likely token: its id int64 [rows, 1] and log-probability [rows, 1].

    Reductions are used because they spread a row over the whole device. ArgMax does not say which of equal entries it
    takes, and TopK works on a row in a single block, for a fifth of a millisecond. Concat, which would make one output
    of two, copies addresses from the CPU's memory in some versions, which a captured graph would find altered. Ids
    pass through float32, which holds every one below 2 ** 24.
    """
    with graph.scope("best"):
        last = graph.constant("vocabulary_axis", np.array([-1]))
        below = graph.op("Sub", logits, graph.op("ReduceMax", logits, last, keepdims=1))
        total = graph.op("ReduceSum", graph.op("Exp", below), last, keepdims=1)
        is_best = graph.op("Equal", below, graph.constant("best_below", np.array(0, dtype=np.float32)))
        vocabulary = np.arange(vocab_size, dtype=np.float32)
        # If logits are NaN, no entry equals the largest: falls back to the last valid id.
        candidates = graph.op(
            "Where",
            is_best,
            graph.constant("vocabulary", vocabulary),
            graph.constant("last_of_vocabulary", vocabulary[-1:]),
        )
        ids = graph.op("Cast", graph.op("ReduceMin", candidates, last, keepdims=1), to=ir.DataType.INT64.value)
        return ids, graph.op("Neg", graph.op("Log", total))


def tensor_specs(values: Iterable[ir.Value]) -> tuple[TensorSpec, ...]:
    """Returns the manifest's description of a graph's inputs or outputs; inputs that have a default are left out."""
    return tuple(_tensor_spec(value) for value in values if value.const_value is None)


def _tensor_spec(value: ir.Value) -> TensorSpec:
    if value.name is None or value.dtype is None or value.shape is None:
        raise ValueError(f"the graph's input or output {value.name} has no name, type or shape")
    shape = tuple(dim if isinstance(dim, int) else str(dim.value) for dim in value.shape)
    return TensorSpec(name=value.name, dtype=value.dtype.numpy().name, shape=shape)
