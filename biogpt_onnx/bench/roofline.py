"""The least that a step and a prefill can cost: the weights must be read, and the products computed."""

from dataclasses import dataclass

from biogpt_onnx.runtime.bundle.architecture import Architecture

# Of the layers' matrices, and of the table that embedding and head share, which every 4-bit model here keeps in 8 bits.
_BITS = {"fp32": (32, 32), "fp16": (16, 16), "bf16": (16, 16), "int8": (8, 8), "int4": (4, 8)}


@dataclass(frozen=True)
class ModelSize:
    """Numbers of a model that its floors follow from.

    Attributes:
        layer_weights: of the matrices of all layers.
        head_weights: of the output head.
        vectors: biases and normalizations.
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
        """That of an architecture."""
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
    """Bytes of weights that one step must read, whatever rows it computes; None for a precision without a fixed width.

    Every matrix once, in the bits of the precision, without scales and zero points; of the position table one row,
    which does not count. The cache is not counted either: it has other widths in other runtimes.
    """
    if precision not in _BITS:
        return None
    layer_bits, table_bits = _BITS[precision]
    return (size.layer_weights * layer_bits + size.head_weights * table_bits) // 8 + 4 * size.vectors


def step_operations(size: ModelSize, rows: int, context: int) -> float:
    """Additions and multiplications of one step over so many rows, each with a context of so many tokens."""
    attention = 4.0 * size.num_layers * size.hidden_size * context
    return rows * (2.0 * (size.layer_weights + size.head_weights) + attention)


def prefill_operations(size: ModelSize, batch_size: int, prompt_tokens: int) -> float:
    """Additions and multiplications of reading prompts, with the head computed for each one's last token only."""
    matrices = 2.0 * size.layer_weights * prompt_tokens + 2.0 * size.head_weights
    # A token attends to half of the prompt on average: queries by keys, and probabilities by values.
    attention = 4.0 * size.num_layers * size.hidden_size * prompt_tokens * (prompt_tokens + 1) / 2
    return batch_size * (matrices + attention)
