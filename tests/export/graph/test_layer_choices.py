import dataclasses
from functools import partial

import pytest

from biogpt_onnx.export.graph.builder import GraphBuilder
from biogpt_onnx.export.graph.causal_lm import build_causal_lm
from biogpt_onnx.export.graph.decoder import LayerChoices
from biogpt_onnx.export.graph.layers import Linear
from biogpt_onnx.export.graph.sublayers import FUSED, PLAIN
from biogpt_onnx.quantize.packing.blocks import Blocks
from biogpt_onnx.quantize.packing.layers import PackedLinear
from biogpt_onnx.quantize.packing.packed_weights import PackedWeights
from biogpt_onnx.quantize.packing.rows import Rows
from biogpt_onnx.runtime.bundle.linear_layers import linear_shapes
from makers.checkpoints import tiny_architecture

ARCHITECTURE = tiny_architecture()
FLOAT32 = LayerChoices.fp32(ARCHITECTURE)


@pytest.mark.parametrize("packing", [Blocks(4, 32), Rows(7)])
def test_packed_layers_are_never_lost_to_fused_sublayers(packing: Blocks | Rows) -> None:
    packed = dataclasses.replace(FLOAT32, linear=partial(PackedLinear, packed=PackedWeights(), packing=packing))
    with pytest.raises(ValueError, match=r"would ignore linear=.*PackedLinear.*: choose sublayers=PLAIN") as caught:
        dataclasses.replace(packed, sublayers=FUSED)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="sublayers are fused"):
        dataclasses.replace(dataclasses.replace(FLOAT32, sublayers=FUSED), linear=packed.linear)
    assert dataclasses.replace(packed, sublayers=PLAIN) == packed


def test_the_graph_makes_the_linear_layers_of_the_list_and_no_others() -> None:
    made: dict[str, tuple[int, int]] = {}

    def recording(graph: GraphBuilder, name: str, in_features: int, out_features: int) -> Linear:
        made[name] = (out_features, in_features)
        return Linear(graph, name, in_features, out_features)

    build_causal_lm(ARCHITECTURE, dataclasses.replace(FLOAT32, linear=recording))
    assert list(made.items()) == list(linear_shapes(ARCHITECTURE).items())
    weights = build_causal_lm(ARCHITECTURE, FLOAT32).graph.initializers
    assert {name: tuple(weights[f"{name}.weight"].shape or ()) for name in made} == made
