from biogpt_onnx.export.checkpoint.names import checkpoint_linears, expected_shapes
from biogpt_onnx.runtime.bundle.linear_layers import decoder_linears
from makers.checkpoints import tiny_architecture


def test_a_checkpoint_has_these_tensors_in_this_order() -> None:
    architecture = tiny_architecture(num_layers=2, tied_head=False)
    layer = {
        "self_attn.q_proj": (72, 72),
        "self_attn.k_proj": (72, 72),
        "self_attn.v_proj": (72, 72),
        "self_attn.out_proj": (72, 72),
        "self_attn_layer_norm": (72,),
        "fc1": (97, 72),
        "fc2": (72, 97),
        "final_layer_norm": (72,),
    }
    expected: dict[str, tuple[int, ...]] = {"embed_tokens.weight": (311, 72), "embed_positions.weight": (77, 72)}
    for index in range(2):
        for name, shape in layer.items():
            expected |= {f"layers.{index}.{name}.weight": shape, f"layers.{index}.{name}.bias": shape[:1]}
    expected |= {"layer_norm.weight": (72,), "layer_norm.bias": (72,), "output_projection.weight": (311, 72)}
    assert list(expected_shapes(architecture).items()) == list(expected.items())


def test_query_key_and_value_are_one_layer_of_the_graph_in_this_order() -> None:
    architecture = tiny_architecture()
    linears = checkpoint_linears(architecture, 1)
    assert tuple(linears) == decoder_linears(architecture, 1)
    assert linears[decoder_linears(architecture, 1).qkv] == (
        "layers.1.self_attn.q_proj",
        "layers.1.self_attn.k_proj",
        "layers.1.self_attn.v_proj",
    )
