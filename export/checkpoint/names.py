"""The one table of tensor names and shapes.

Canonical names are those of Hugging Face checkpoints without the prefix `biogpt.`. fairseq's differ from them only in
the prefix, and neither form transposes anything.
"""

import re

from biogpt_onnx.runtime.bundle.architecture import Architecture

EMBEDDING = "embed_tokens.weight"
POSITIONS = "embed_positions.weight"
HEAD = "output_projection.weight"

POSITION_OFFSET = 2
"""The first token uses row 2 of the position table; row 1 is the pad row."""

_HUGGINGFACE_PREFIX = "biogpt."
_FAIRSEQ_PREFIX = "decoder."
_LAYER_NAME = re.compile(r"layers\.(?:0|[1-9]\d{0,3})\.(?P<part>.+)")


def expected_shapes(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """The canonical name and shape of every tensor of a checkpoint; the head only where it is not tied."""
    hidden_size = architecture.hidden_size
    shapes: dict[str, tuple[int, ...]] = {
        EMBEDDING: (architecture.vocab_size, hidden_size),
        POSITIONS: (architecture.max_positions + POSITION_OFFSET, hidden_size),
    }
    layer = _layer_shapes(hidden_size, architecture.intermediate_size)
    for index in range(architecture.num_layers):
        shapes |= {f"layers.{index}.{part}": shape for part, shape in layer.items()}
    shapes |= _norm_shapes("layer_norm", hidden_size)
    if not architecture.tied_head:
        shapes[HEAD] = (architecture.vocab_size, hidden_size)
    return shapes


def from_huggingface(name: str) -> str | None:
    """The canonical form of a Hugging Face name, or None where a BioGPT has no such tensor.

    The prefix may be absent: a bare `BioGptModel` is saved without it.
    """
    return _known(name.removeprefix(_HUGGINGFACE_PREFIX))


def to_huggingface(name: str) -> str:
    """The Hugging Face name of a canonical one."""
    return name if name == HEAD else _HUGGINGFACE_PREFIX + name


def from_fairseq(name: str) -> str | None:
    """The canonical form of a fairseq name, or None where a BioGPT has no such tensor."""
    return _known(name.removeprefix(_FAIRSEQ_PREFIX)) if name.startswith(_FAIRSEQ_PREFIX) else None


def to_fairseq(name: str) -> str:
    """The fairseq name of a canonical one."""
    return _FAIRSEQ_PREFIX + name


def _layer_shapes(hidden_size: int, intermediate_size: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
        shapes |= _linear_shapes(f"self_attn.{projection}", hidden_size, hidden_size)
    shapes |= _norm_shapes("self_attn_layer_norm", hidden_size)
    shapes |= _linear_shapes("fc1", intermediate_size, hidden_size)
    shapes |= _linear_shapes("fc2", hidden_size, intermediate_size)
    return shapes | _norm_shapes("final_layer_norm", hidden_size)


def _linear_shapes(name: str, outputs: int, inputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm_shapes(name: str, size: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


_TOP_NAMES = frozenset({EMBEDDING, POSITIONS, HEAD, *_norm_shapes("layer_norm", 1)})
_LAYER_PARTS = frozenset(_layer_shapes(1, 1))


def _known(name: str) -> str | None:
    if name in _TOP_NAMES:
        return name
    match = _LAYER_NAME.fullmatch(name)
    return name if match and match["part"] in _LAYER_PARTS else None
