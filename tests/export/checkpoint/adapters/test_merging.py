"""Adapters of PEFT merged while exporting, compared with the formulas and, where it is installed, with peft itself."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from biogpt_onnx.cli import main
from biogpt_onnx.export.checkpoint.names import EMBEDDING, HEAD
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.errors import CheckpointError
from makers.adapters import RANK, Values, lora_matrices, peft_name, write_adapter
from makers.checkpoints import random_tensors, tiny_architecture, write_fairseq, write_huggingface

ARCHITECTURE = tiny_architecture()
QUERY, FC1, TABLE, HEAD_MODULE = "layers.0.self_attn.q_proj", "layers.1.fc1", "embed_tokens", "output_projection"
MATRICES = (QUERY, FC1)
TOLERANCE: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_huggingface(tmp_path_factory.mktemp("base") / "base", ARCHITECTURE)


def merged(base: Path, adapter: Path) -> dict[str, Values]:
    return {name: tensor.read() for name, tensor in open_checkpoint(base, adapter=adapter).tensors.items()}


def delta(tensors: dict[str, Values], module: str, scaling: float = 2.0) -> Values:
    name = peft_name(module)
    if module == TABLE:
        return (tensors[f"{name}.lora_embedding_B"] @ tensors[f"{name}.lora_embedding_A"]).T * np.float32(scaling)
    return (tensors[f"{name}.lora_B.weight"] @ tensors[f"{name}.lora_A.weight"]) * np.float32(scaling)


def assert_changed(found: dict[str, Values], changes: dict[str, Values]) -> None:
    """Every tensor is the base's but those that changed."""
    expected = random_tensors(ARCHITECTURE) | changes
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, **TOLERANCE, err_msg=name)


@pytest.mark.parametrize(
    ("settings", "scalings"),
    [
        ({}, (2.0, 2.0)),
        ({"lora_alpha": 3}, (0.75, 0.75)),
        ({"use_rslora": True}, (4.0, 4.0)),
        ({"alpha_pattern": {"fc1": 12}}, (2.0, 3.0)),
        ({"alpha_pattern": {r"^biogpt\.layers\.1\.fc1": 12, "fc1": 40}}, (2.0, 3.0)),
        ({"alpha_pattern": {"c1": 12}}, (2.0, 2.0)),
        ({"fan_in_fan_out": True, "lora_dropout": 0.1}, (2.0, 2.0)),
    ],
)
def test_a_scaled_product_is_added(
    tmp_path: Path, base: Path, settings: dict[str, Any], scalings: tuple[float, float]
) -> None:
    tensors = lora_matrices(ARCHITECTURE, MATRICES)
    found = merged(base, write_adapter(tmp_path, tensors, **settings))
    own = random_tensors(ARCHITECTURE)
    changes = {
        f"{module}.weight": own[f"{module}.weight"] + delta(tensors, module, scaling)
        for module, scaling in zip(MATRICES, scalings, strict=True)
    }
    assert_changed(found, changes)


def test_matrices_may_have_ranks_of_their_own(tmp_path: Path, base: Path) -> None:
    tensors = lora_matrices(ARCHITECTURE, (QUERY,)) | lora_matrices(ARCHITECTURE, (FC1,), rank=8)
    found = merged(base, write_adapter(tmp_path, tensors, rank_pattern={"fc1": 8}))
    own = random_tensors(ARCHITECTURE)
    assert_changed(
        found,
        {
            f"{QUERY}.weight": own[f"{QUERY}.weight"] + delta(tensors, QUERY, 2.0),
            f"{FC1}.weight": own[f"{FC1}.weight"] + delta(tensors, FC1, 1.0),
        },
    )


def test_biases_normalizations_and_biases_of_matrices(tmp_path: Path, base: Path) -> None:
    tensors = lora_matrices(ARCHITECTURE, (QUERY,))
    bias, norm, added = (np.full(72, value, np.float32) for value in (0.3, 0.4, 0.5))
    tensors[peft_name("layers.2.self_attn.k_proj.bias")] = bias
    tensors[peft_name(f"{FC1}.base_layer.bias")] = np.full(97, 0.6, np.float32)
    tensors[peft_name("layer_norm.weight")] = norm
    tensors[peft_name(f"{QUERY}.lora_B.bias")] = added
    found = merged(base, write_adapter(tmp_path, tensors, bias="all", modules_to_save=["layer_norm"], lora_bias=True))
    own = random_tensors(ARCHITECTURE)
    assert_changed(
        found,
        {
            f"{QUERY}.weight": own[f"{QUERY}.weight"] + delta(tensors, QUERY),
            f"{QUERY}.bias": own[f"{QUERY}.bias"] + 2 * added,
            f"{FC1}.bias": np.full(97, 0.6, np.float32),
            "layers.2.self_attn.k_proj.bias": bias,
            "layer_norm.weight": norm,
        },
    )


def test_dora_scales_the_rows_of_the_sum(tmp_path: Path, base: Path) -> None:
    tensors = lora_matrices(ARCHITECTURE, (FC1,))
    magnitude = np.linspace(0.5, 2, 97, dtype=np.float32)
    tensors[peft_name(f"{FC1}.lora_magnitude_vector")] = magnitude
    found = merged(base, write_adapter(tmp_path, tensors, use_dora=True))
    summed = random_tensors(ARCHITECTURE)[f"{FC1}.weight"] + delta(tensors, FC1)
    expected = magnitude[:, None] * summed / np.linalg.norm(summed, axis=1, keepdims=True)
    assert_changed(found, {f"{FC1}.weight": expected})


def test_token_rows_replace_those_of_the_table_which_stays_tied(tmp_path: Path, base: Path) -> None:
    rows = np.arange(2 * 72, dtype=np.float32).reshape(2, 72)
    tensors = {peft_name(f"{TABLE}.token_adapter.trainable_tokens_delta"): rows}
    adapter = write_adapter(tmp_path, tensors, trainable_token_indices={"embed_tokens": [300, 7]})
    table = random_tensors(ARCHITECTURE)[EMBEDDING]
    table[[300, 7]] = rows
    assert open_checkpoint(base, adapter=adapter).architecture.tied_head
    assert_changed(merged(base, adapter), {EMBEDDING: table})


@pytest.mark.parametrize("module", [TABLE, HEAD_MODULE])
def test_a_matrix_of_table_or_head_alone_unties_them_as_the_adapter_was_trained(
    tmp_path: Path, base: Path, module: str
) -> None:
    tensors = lora_matrices(ARCHITECTURE, (module,))
    adapter = write_adapter(tmp_path, tensors)
    checkpoint = open_checkpoint(base, adapter=adapter)
    assert not checkpoint.architecture.tied_head
    assert any("no longer tied" in note for note in checkpoint.notes)
    table = random_tensors(ARCHITECTURE)[EMBEDDING]
    changed = {EMBEDDING: table, HEAD: table} | {f"{module}.weight": table + delta(tensors, module)}
    assert_changed(merged(base, adapter), changed)


def test_a_table_and_a_head_of_its_own(tmp_path: Path, base: Path) -> None:
    own = random_tensors(ARCHITECTURE)[EMBEDDING]
    other = own + 1
    alone = write_adapter(tmp_path / "alone", {peft_name(EMBEDDING): other}, modules_to_save=["embed_tokens"])
    assert_changed(merged(base, alone), {EMBEDDING: other, HEAD: own})
    both = {peft_name(EMBEDDING): other, peft_name(HEAD): other.copy()}
    same = write_adapter(tmp_path / "both", both, modules_to_save=["embed_tokens", "output_projection"])
    assert open_checkpoint(base, adapter=same).architecture.tied_head
    assert_changed(merged(base, same), {EMBEDDING: other})


def test_tokens_that_the_adapter_added_are_read_with_their_rows(tmp_path: Path, base: Path) -> None:
    larger = np.concatenate([random_tensors(ARCHITECTURE)[EMBEDDING], np.ones((2, 72), np.float32)])
    tensors = {peft_name(f"{TABLE}.weight"): larger, peft_name(HEAD): larger.copy()}
    adapter = write_adapter(tmp_path, tensors)
    for name in ("vocab.json", "merges.txt"):
        (adapter / name).write_bytes((base / name).read_bytes())
    (adapter / "added_tokens.json").write_text(json.dumps({"<e1>": 311, "</e1>": 312}))
    checkpoint = open_checkpoint(base, adapter=adapter)
    assert checkpoint.architecture == replace(ARCHITECTURE, vocab_size=313)
    assert [token.content for token in checkpoint.added.tokens] == ["<e1>", "</e1>"]


def test_an_adapter_of_a_fairseq_base_is_merged(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    write_fairseq(tmp_path / "base", ARCHITECTURE)
    tensors = lora_matrices(ARCHITECTURE, (QUERY,))
    checkpoint = open_checkpoint(
        tmp_path / "base", num_heads=3, scale_embedding=True, adapter=write_adapter(tmp_path / "adapter", tensors)
    )
    own = random_tensors(ARCHITECTURE)[f"{QUERY}.weight"]
    np.testing.assert_allclose(checkpoint.tensors[f"{QUERY}.weight"].read(), own + delta(tensors, QUERY), **TOLERANCE)


def test_a_pickled_adapter_is_merged(tmp_path: Path, base: Path) -> None:
    torch = pytest.importorskip("torch")
    tensors = lora_matrices(ARCHITECTURE, (QUERY,))
    adapter = write_adapter(tmp_path, tensors)
    (adapter / "adapter_model.safetensors").unlink()
    torch.save({name: torch.from_numpy(values) for name, values in tensors.items()}, adapter / "adapter_model.bin")
    own = random_tensors(ARCHITECTURE)[f"{QUERY}.weight"]
    assert_changed(merged(base, adapter), {f"{QUERY}.weight": own + delta(tensors, QUERY)})


def test_a_merge_of_safetensors_takes_neither_torch_nor_peft(tmp_path: Path, base: Path) -> None:
    adapter = write_adapter(tmp_path, lora_matrices(ARCHITECTURE, MATRICES))
    program = """
import sys
from pathlib import Path
from biogpt_onnx.export.checkpoint.open import open_checkpoint
for tensor in open_checkpoint(sys.argv[1], adapter=Path(sys.argv[2])).tensors.values():
    tensor.read()
assert not {"torch", "peft", "transformers"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program, str(base), str(adapter)], check=True)


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"peft_type": "PREFIX_TUNING"}, "'PREFIX_TUNING': it adds vectors to prompts"),
        ({"peft_type": "PROMPT_TUNING"}, "'PROMPT_TUNING': it adds vectors to prompts"),
        ({"peft_type": "IA3"}, "'IA3'; only 'LORA' is merged here: merge it with peft"),
        ({"peft_type": "NEW"}, "'NEW'; only 'LORA'"),
        ({"peft_type": None}, "None; only 'LORA'"),
        ({"peft_type": {"a": 1}}, "only 'LORA'"),
        ({"lora_alpha": 10**400}, "lora_alpha is 1000"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights is 'pissa', which moves a part"),
        ({"alora_invocation_tokens": [4]}, "alora_invocation_tokens"),
        ({"layer_replication": [[0, 2]]}, "layer_replication"),
        ({"use_qalora": True}, "use_qalora"),
        ({"lora_alpha": "8"}, "lora_alpha is '8'"),
        ({"alpha_pattern": {"(": 1}}, r"alpha_pattern holds '\('"),
        ({"alpha_pattern": {"(a+)+b": 1}}, r"alpha_pattern holds '\(a\+\)\+b'"),
        ({"trainable_token_indices": [3, 3]}, "names a token twice"),
        ({"trainable_token_indices": ["3"]}, "trainable_token_indices"),
    ],
)
def test_what_cannot_be_merged_is_named(tmp_path: Path, base: Path, settings: dict[str, Any], part: str) -> None:
    adapter = write_adapter(tmp_path, lora_matrices(ARCHITECTURE, (QUERY,)), **settings)
    with pytest.raises(CheckpointError, match=part) as caught:
        open_checkpoint(base, adapter=adapter)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (
            {peft_name("layers.0.fc1.lora_A.weight"): np.ones((4, 72), np.float32)},
            "of layers.0.fc1 the adapter has lora_A",
        ),
        ({peft_name(f"{QUERY}.lora_A.weight"): np.ones((4, 71), np.float32)}, "do not fit its weight"),
        ({peft_name(f"{QUERY}.lora_A.weight"): np.ones((5, 72), np.float32)}, "do not fit its weight"),
        ({peft_name("layers.7.fc1.bias"): np.ones(97, np.float32)}, "layers.7.fc1.bias, which the base has not"),
        ({peft_name("layer_norm.bias"): np.ones(71, np.float32)}, "layer_norm.bias becomes"),
        ({"base_model.model.score.weight": np.ones((2, 72), np.float32)}, "score.weight, which the base has not"),
        ({peft_name(f"{QUERY}.lora_magnitude_vector"): np.ones(3, np.float32)}, "DoRA of layers.0.self_attn.q_proj"),
        ({peft_name("layer_norm.bias"): np.ones(72, np.int64)}, "holds I64, no floats"),
    ],
)
def test_tensors_that_do_not_fit_the_base_are_named(
    tmp_path: Path, base: Path, change: dict[str, Any], part: str
) -> None:
    adapter = write_adapter(tmp_path, lora_matrices(ARCHITECTURE, (QUERY,)) | change)
    with pytest.raises(CheckpointError, match=part):
        open_checkpoint(base, adapter=adapter)


def test_an_adapter_beside_weights_is_a_question_and_both_answers_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_huggingface(tmp_path / "both", ARCHITECTURE)
    tensors = lora_matrices(ARCHITECTURE, (QUERY,))
    write_adapter(folder, tensors)
    assert main(["export", str(folder), "-o", str(tmp_path / "no")]) == 2
    message = capsys.readouterr().err
    assert f"--adapter {folder} to merge it, or --no-adapter to leave it out" in message
    own = random_tensors(ARCHITECTURE)[f"{QUERY}.weight"]
    assert_changed(merged(folder, folder), {f"{QUERY}.weight": own + delta(tensors, QUERY)})
    np.testing.assert_array_equal(open_checkpoint(folder, no_adapter=True).tensors[f"{QUERY}.weight"].read(), own)


def test_an_adapter_alone_is_merged_into_the_base_that_it_names(tmp_path: Path) -> None:
    write_huggingface(tmp_path / "base", ARCHITECTURE)
    tensors = lora_matrices(ARCHITECTURE, (QUERY,))
    adapter = write_adapter(tmp_path / "adapter", tensors, base_model_name_or_path="../base")
    assert main(["export", str(adapter), "-o", str(tmp_path / "bundle")]) == 0
    manifest = read_manifest(tmp_path / "bundle")
    assert manifest.source == "huggingface:base + adapter adapter"
    assert manifest.notes == (
        "the base is ../base, which the adapter's config names",
        f"merged the adapter adapter: LoRA of 1 matrices (rank {RANK}, scaling 2)",
    )


@pytest.mark.parametrize(
    ("named", "part"),
    [
        ("microsoft/biogpt", "its base 'microsoft/biogpt' is no folder here: export microsoft/biogpt --adapter "),
        ("/home/someone/model", "its base '/home/someone/model' is no folder here: export BASE --adapter "),
        (None, "its config names no base: export BASE --adapter "),
        (".", "its base '.' is no folder here"),
    ],
)
def test_an_adapter_whose_base_is_not_there_names_it(tmp_path: Path, named: str | None, part: str) -> None:
    write_adapter(tmp_path / "adapter", lora_matrices(ARCHITECTURE, (QUERY,)), base_model_name_or_path=named)
    with pytest.raises(CheckpointError, match="this is an adapter, and ") as caught:
        open_checkpoint(tmp_path / "adapter")
    assert part in str(caught.value)


def test_several_adapters_are_refused(tmp_path: Path, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["export", str(base), "-o", str(tmp_path / "out"), "--adapter", "one", "--adapter", "two"]
    assert main(command) == 2
    assert "--adapter is given 2 times" in capsys.readouterr().err


def test_a_folder_without_an_adapter_is_named(tmp_path: Path, base: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no adapter_config\.json: it is not an adapter of PEFT"):
        open_checkpoint(base, adapter=tmp_path)
    write_adapter(tmp_path, {}).joinpath("adapter_model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"no adapter_model\.safetensors or adapter_model\.bin"):
        open_checkpoint(base, adapter=tmp_path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "settings",
    [
        {"target_modules": ["q_proj", "fc1"], "alpha_pattern": {"fc1": 3}, "rank_pattern": {"q_proj": 2}},
        {"target_modules": ["v_proj", "fc2"], "use_rslora": True, "bias": "all"},
        {"target_modules": ["v_proj"], "use_dora": True, "bias": "lora_only"},
        {"target_modules": ["q_proj"], "modules_to_save": ["layer_norm"], "trainable_token_indices": [9, 4]},
        {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"]},
        {"target_modules": ["out_proj"], "lora_bias": True},
        {"target_modules": ["embed_tokens", "k_proj"]},
    ],
)
def test_logits_are_those_of_the_adapter_in_peft(tmp_path: Path, base: Path, settings: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    peft = pytest.importorskip("peft")
    transformers = pytest.importorskip("transformers")
    from biogpt_onnx.export.reference import model_of  # noqa: PLC0415 -- needs torch

    torch.manual_seed(0)
    model = transformers.BioGptForCausalLM.from_pretrained(base)
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=4, lora_alpha=6, **settings)).eval()
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data += 0.05 * torch.randn(parameter.shape)
    adapted.save_pretrained(tmp_path)
    ids = torch.tensor([[2, *range(4, 30)]])
    ours = model_of(transformers, open_checkpoint(base, adapter=tmp_path)).eval()
    with torch.no_grad():
        expected = adapted(ids).logits
        np.testing.assert_allclose(ours(ids).logits.numpy(), expected.numpy(), rtol=1e-4, atol=2e-4)
        if "embed_tokens" not in settings["target_modules"]:
            merged_model = adapted.merge_and_unload()
            np.testing.assert_allclose(ours(ids).logits.numpy(), merged_model(ids).logits.numpy(), rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"alpha_pattern": ["fc1"]}, "alpha_pattern is no object of names to numbers"),
        ({"modules_to_save": "lm_head"}, "modules_to_save is 'lm_head'; it must be a list of names"),
        ({"modules_to_save": [3]}, "it must be a list of names"),
        (
            {"trainable_token_indices": {"embed_tokens": [3], "lm_head": [3]}},
            "trainable_token_indices names several modules; only the embedding has any",
        ),
    ],
)
def test_settings_of_another_form_are_named(tmp_path: Path, base: Path, settings: dict[str, Any], part: str) -> None:
    adapter = write_adapter(tmp_path, lora_matrices(ARCHITECTURE, (QUERY,)), **settings)
    with pytest.raises(CheckpointError, match=part):
        open_checkpoint(base, adapter=adapter)


def test_matrices_of_a_module_that_the_base_lacks_and_rows_that_do_not_fit_are_named(
    tmp_path: Path, base: Path
) -> None:
    name = peft_name("layers.7.fc1")
    sizes = {f"{name}.lora_A.weight": (4, 72), f"{name}.lora_B.weight": (97, 4)}
    foreign = {matrix: np.ones(size, np.float32) for matrix, size in sizes.items()}
    with pytest.raises(CheckpointError, match=r"the adapter changes layers\.7\.fc1, which the base has not"):
        open_checkpoint(base, adapter=write_adapter(tmp_path / "one", foreign))
    bias = {peft_name(f"{QUERY}.lora_B.bias"): np.ones(71, np.float32)}
    tensors = lora_matrices(ARCHITECTURE, (QUERY,)) | bias
    adapter = write_adapter(tmp_path / "two", tensors, lora_bias=True)
    with pytest.raises(CheckpointError, match=r"the adapter changes layers\.0\.self_attn\.q_proj\.bias, which"):
        open_checkpoint(base, adapter=adapter)
    rows = {peft_name(f"{TABLE}.token_adapter.trainable_tokens_delta"): np.ones((2, 72), np.float32)}
    with pytest.raises(CheckpointError, match=r"token rows \[2, 72\] do not fit its 1 trainable_token_indices"):
        open_checkpoint(base, adapter=write_adapter(tmp_path / "three", rows, trainable_token_indices=[3]))


def test_tensors_that_belong_nowhere_are_named(tmp_path: Path, base: Path) -> None:
    """They would be left out, and the model be another than that which was trained."""
    foreign = {"base_model.model.biogpt.layers.0.gate.weight": np.ones(3, np.float32)}
    tensors = lora_matrices(ARCHITECTURE, (QUERY,)) | foreign
    with pytest.raises(CheckpointError, match=r"1 tensors that no BioGPT has .*layers\.0\.gate\.weight"):
        open_checkpoint(base, adapter=write_adapter(tmp_path, tensors))
