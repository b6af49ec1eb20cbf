"""Roofline model of decoding: the bytes that must be read and the operations that must be computed.

The slower of the two limits the speed (Williams, Waterman and Patterson, Roofline: An Insightful Visual Performance
Model, 2009). Reports and result files call the least times that follow from it floors.
"""

from dataclasses import dataclass

from biogpt_onnx.runtime.bundle.architecture import Architecture

# Bits of a weight in the layers' matrices, and in the table of embedding and head, which 4-bit models keep in 8 bits.
_BITS = {"fp32": (32, 32), "fp16": (16, 16), "bf16": (16, 16), "int8": (8, 8), "int4": (4, 8)}


@dataclass(frozen=True)
class ModelSize:
    """Sizes of a model that its bytes and operations follow from.

    Attributes:
        layer_weights: number of weights in the matrices of all layers.
        head_weights: number of weights in the output head.
        vectors: number of values in biases and normalizations.
        num_layers: decoder layers.
        hidden_size: width of the residual stream.
    """

    layer_weights: int
    head_weights: int
    vectors: int
    num_layers: int
    hidden_size: int

    @classmethod
    def of(cls, architecture: Architecture) -> "ModelSize":
        """Computes the sizes of an architecture."""
        hidden, inner, layers = architecture.hidden_size, architecture.intermediate_size, architecture.num_layers
        return cls(
            layer_weights=layers * (4 * hidden * hidden + 2 * hidden * inner),
            head_weights=architecture.vocab_size * hidden,
            # Four projections and two normalizations, fc1 and fc2; and the last normalization.
            vectors=layers * (4 * hidden + 4 * hidden + inner + hidden) + 2 * hidden,
            num_layers=layers,
            hidden_size=hidden,
        )


def step_bytes(size: ModelSize, precision: str) -> int | None:
    """Returns the bytes of weights that one decoding step must read, whatever the number of rows.

    Every matrix counts once, in the bits of the precision, without scales and zero points. One row of the position
    table does not count, nor does the cache, which has other widths in other runtimes.

    Args:
        size: the model's sizes.
        precision: how the weights are stored, such as "int8".

    Returns:
        The bytes; None for a precision without a fixed width.
    """
    if precision not in _BITS:
        return None
    layer_bits, table_bits = _BITS[precision]
    return (size.layer_weights * layer_bits + size.head_weights * table_bits) // 8 + 4 * size.vectors


def step_operations(size: ModelSize, rows: int, context: int) -> float:
    """Returns the additions and multiplications of one decoding step.

    Args:
        size: the model's sizes.
        rows: sequences, or beams of all sequences.
        context: tokens that each row attends to.
    """
    attention = 4.0 * size.num_layers * size.hidden_size * context
    return rows * (2.0 * (size.layer_weights + size.head_weights) + attention)


def prefill_operations(size: ModelSize, batch_size: int, prompt_tokens: int) -> float:
    """Returns the additions and multiplications of a prefill that computes the head for each prompt's last token only.

    Args:
        size: the model's sizes.
        batch_size: prompts.
        prompt_tokens: tokens of each prompt.
    """
    matrices = 2.0 * size.layer_weights * prompt_tokens + 2.0 * size.head_weights
    # A token attends to half of the prompt on average: queries by keys, and probabilities by values.
    attention = 4.0 * size.num_layers * size.hidden_size * prompt_tokens * (prompt_tokens + 1) / 2
    return batch_size * (matrices + attention)
