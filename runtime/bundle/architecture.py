"""The architecture of a BioGPT: the sizes and options that define its graph."""

from dataclasses import dataclass

LAYER_NORM_EPSILON = 1e-5
"""Epsilon of every BioGPT's layer norms.

The published config.json says 1e-12, which neither transformers nor fairseq reads.
"""

MIN_POSITIONS = 2
"""Fewest positions of a model: one for `</s>`, with which every sequence begins, and one for a token behind it."""


@dataclass(frozen=True)
class Architecture:
    """The sizes and options of a BioGPT.

    Attributes:
        num_layers: number of decoder layers.
        hidden_size: width of the residual stream.
        num_heads: number of attention heads; each has hidden_size / num_heads dimensions.
        intermediate_size: width of the feed-forward layer.
        vocab_size: number of rows of the token embedding, soft-prompt rows included.
        max_positions: longest sequence, in tokens (the checkpoint's table of positions has two rows more).
        soft_prompt_size: number of rows at the end of the embedding that no text tokenizes to (`learned1`, ...).
        tied_head: True if the output head is the token embedding.
        scale_embedding: True if token embeddings are multiplied by sqrt(hidden_size).
    """

    num_layers: int
    hidden_size: int
    num_heads: int
    intermediate_size: int
    vocab_size: int
    max_positions: int
    soft_prompt_size: int = 0
    tied_head: bool = True
    scale_embedding: bool = True

    @property
    def head_size(self) -> int:
        """Number of dimensions of one attention head."""
        return self.hidden_size // self.num_heads
