"""The linear layers of a BioGPT's decoder: their names in the graph and their sizes."""

from typing import NamedTuple

from biogpt_onnx.runtime.bundle.architecture import Architecture


class LinearLayer(NamedTuple):
    """A linear layer, whose weight and bias are the graph's parameters NAME.weight and NAME.bias.

    Attributes:
        name: name in the graph and in a manifest's `layer_precisions`, such as "layers.0.attention.qkv".
        in_features: input features.
        out_features: output features.
    """

    name: str
    in_features: int
    out_features: int

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the weight, [out, in]."""
        return self.out_features, self.in_features


class DecoderLinears(NamedTuple):
    """Linear layers of one decoder layer, in the order of the network.

    Attributes:
        qkv: query, key and value projections, one below the other.
        attention_output: projection of the attention's result.
        fc1: first layer of the feed-forward part.
        fc2: second layer of the feed-forward part.
    """

    qkv: LinearLayer
    attention_output: LinearLayer
    fc1: LinearLayer
    fc2: LinearLayer


def decoder_linears(architecture: Architecture, index: int) -> DecoderLinears:
    """Returns the linear layers of the decoder layer with this index, counted from 0."""
    layer, hidden_size, intermediate_size = f"layers.{index}", architecture.hidden_size, architecture.intermediate_size
    return DecoderLinears(
        qkv=LinearLayer(f"{layer}.attention.qkv", hidden_size, 3 * hidden_size),
        attention_output=LinearLayer(f"{layer}.attention.out", hidden_size, hidden_size),
        fc1=LinearLayer(f"{layer}.feed_forward.fc1", hidden_size, intermediate_size),
        fc2=LinearLayer(f"{layer}.feed_forward.fc2", intermediate_size, hidden_size),
    )


def linear_shapes(architecture: Architecture) -> dict[str, tuple[int, int]]:
    """Returns the weight's shape [out, in] of every linear layer, by the layer's name, in the order of the network."""
    return {
        layer.name: layer.shape
        for index in range(architecture.num_layers)
        for layer in decoder_linears(architecture, index)
    }
