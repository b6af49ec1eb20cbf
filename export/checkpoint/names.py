"""Names and shapes of a checkpoint's tensors.

Canonical names are those of Hugging Face checkpoints without the prefix `biogpt.`. fairseq's differ from them only in
the prefix, and neither form transposes anything.
"""

import re

from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.bundle.classification_head import ClassificationHead
from biogpt_onnx.runtime.bundle.linear_layers import LinearLayer, decoder_linears

EMBEDDING = "embed_tokens.weight"
POSITIONS = "embed_positions.weight"
HEAD = "output_projection.weight"
FIRST_FC1 = "layers.0.fc1.weight"

POSITION_OFFSET = 2
"""Row of the position table that the first token uses; row 1 is the pad row."""

_HUGGINGFACE_PREFIX = "biogpt."
_FAIRSEQ_PREFIX = "decoder."
# Hugging Face's names of heads, which stand beside the network, not in it.
_HEADS = frozenset({HEAD, "score.weight", "classifier.weight", "classifier.bias"})
# In the order of `DecoderLinears`, the checkpoint's linear layers that each of these is made of, one below the other.
_PROJECTIONS = (
    ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    ("self_attn.out_proj",),
    ("fc1",),
    ("fc2",),
)
_LAYER_NAME = re.compile(r"layers\.(?:0|[1-9]\d{0,3})\.(?P<part>.+)")


def expected_shapes(architecture: Architecture, head: ClassificationHead | None = None) -> dict[str, tuple[int, ...]]:
    """Returns the canonical name and shape of every tensor of a checkpoint.

    Args:
        architecture: network's shape; the language-model head is a tensor of its own only where it is not tied.
        head: classification head in the place of the language-model head; None for a language model.
    """
    hidden_size = architecture.hidden_size
    shapes: dict[str, tuple[int, ...]] = {
        EMBEDDING: (architecture.vocab_size, hidden_size),
        POSITIONS: (architecture.max_positions + POSITION_OFFSET, hidden_size),
    }
    for index in range(architecture.num_layers):
        shapes |= _layer_shapes(architecture, index)
    shapes |= _norm_shapes("layer_norm", hidden_size)
    if head is not None:
        shapes |= head_shapes(architecture, head)
    elif not architecture.tied_head:
        shapes[HEAD] = (architecture.vocab_size, hidden_size)
    return shapes


def head_shapes(architecture: Architecture, head: ClassificationHead) -> dict[str, tuple[int, ...]]:
    """Returns the name and shape of a classification head's tensors, the same in checkpoints and in the graph."""
    shapes: dict[str, tuple[int, ...]] = {f"{head.layer}.weight": (head.num_labels, architecture.hidden_size)}
    return shapes | ({f"{head.layer}.bias": (head.num_labels,)} if head.has_bias else {})


def checkpoint_linears(architecture: Architecture, index: int) -> dict[LinearLayer, tuple[str, ...]]:
    """Returns, for each linear layer of a decoder layer of the graph, the checkpoint's layers that it is made of.

    Args:
        architecture: network's shape.
        index: decoder layer, counted from 0.

    Returns:
        Canonical names without ".weight" and ".bias", of equally many output features each, one below the other.
    """
    return {
        linear: tuple(f"layers.{index}.{projection}" for projection in projections)
        for linear, projections in zip(decoder_linears(architecture, index), _PROJECTIONS, strict=True)
    }


def from_huggingface(name: str) -> str | None:
    """Returns the canonical form of a Hugging Face name, or None where a BioGPT has no such tensor.

    The prefix may be absent: a bare `BioGptModel` is saved without it.
    """
    return _known(name.removeprefix(_HUGGINGFACE_PREFIX))


def to_huggingface(name: str) -> str:
    """Returns the Hugging Face name of a canonical one."""
    return name if name in _HEADS else _HUGGINGFACE_PREFIX + name


def from_fairseq(name: str) -> str | None:
    """Returns the canonical form of a fairseq name, or None where a BioGPT has no such tensor."""
    return _known(name.removeprefix(_FAIRSEQ_PREFIX)) if name.startswith(_FAIRSEQ_PREFIX) else None


def to_fairseq(name: str) -> str:
    """Returns the fairseq name of a canonical one."""
    return _FAIRSEQ_PREFIX + name


def _layer_shapes(architecture: Architecture, index: int) -> dict[str, tuple[int, ...]]:
    layer, hidden_size = f"layers.{index}", architecture.hidden_size
    qkv, attention_output, fc1, fc2 = (
        _linear_shapes(linear, names) for linear, names in checkpoint_linears(architecture, index).items()
    )
    attention = qkv | attention_output | _norm_shapes(f"{layer}.self_attn_layer_norm", hidden_size)
    return attention | fc1 | fc2 | _norm_shapes(f"{layer}.final_layer_norm", hidden_size)


def _linear_shapes(linear: LinearLayer, names: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    outputs = linear.out_features // len(names)
    shapes: dict[str, tuple[int, ...]] = {}
    for name in names:
        shapes |= {f"{name}.weight": (outputs, linear.in_features), f"{name}.bias": (outputs,)}
    return shapes


def _norm_shapes(name: str, size: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


_TOP_NAMES = frozenset({EMBEDDING, POSITIONS, *_HEADS, *_norm_shapes("layer_norm", 1)})
_ANY_SIZES = Architecture(num_layers=1, hidden_size=1, num_heads=1, intermediate_size=1, vocab_size=1, max_positions=1)
_LAYER_PARTS = frozenset(name.removeprefix("layers.0.") for name in _layer_shapes(_ANY_SIZES, 0))


def _known(name: str) -> str | None:
    if name in _TOP_NAMES:
        return name
    match = _LAYER_NAME.fullmatch(name)
    return name if match and match["part"] in _LAYER_PARTS else None
