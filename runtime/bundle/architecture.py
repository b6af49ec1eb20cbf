"""The numbers that fix a BioGPT's shape."""

from dataclasses import dataclass

LAYER_NORM_EPSILON = 1e-5
"""What every BioGPT runs with. The published config.json says 1e-12, which neither transformers nor fairseq reads."""


@dataclass(frozen=True)
class Architecture:
    """A BioGPT's shape.

    Attributes:
        num_layers: decoder layers.
        hidden_size: width of the residual stream.
        num_heads: attention heads; each has hidden_size / num_heads dimensions.
        intermediate_size: width of the feed-forward layer.
        vocab_size: rows of the token embedding, soft-prompt rows included.
        max_positions: longest sequence, in tokens (the checkpoint's table has two rows more).
        soft_prompt_size: rows at the end of the embedding that no text tokenizes to (`learned1`, ...).
        tied_head: whether the output head is the token embedding.
        scale_embedding: whether token embeddings are multiplied by sqrt(hidden_size).
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
        """Dimensions of one attention head."""
        return self.hidden_size // self.num_heads
