"""Half precision, as far as it can be shown without a GPU."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import biogpt_onnx
from biogpt_onnx.cli import main
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.data.texts import evaluation_texts
from biogpt_onnx.quantize.evaluate import model_pair
from biogpt_onnx.quantize.evaluate.evaluation import evaluate
from biogpt_onnx.quantize.evaluate.quality_gate import run_quality_gate
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.backends.cuda.backend import CudaBackend
from biogpt_onnx.runtime.backends.registry import open_backend
from biogpt_onnx.runtime.bundle import LOGITS_LIMIT, MODEL_FILE, WEIGHTS_FILE, Manifest, check_files, read_manifest
from biogpt_onnx.runtime.errors import BundleError, ProviderError
from biogpt_onnx.runtime.options import LoadOptions
from makers.bundles import write_manifest
from makers.checkpoints import Tensors, random_tensors, tiny_architecture, write_huggingface
from makers.devices import device_session
from makers.half_emulation import emulated
from makers.outliers import write_outlier_checkpoint

DTYPES = {"fp16": "float16", "bf16": "bfloat16"}
ONNX_TYPES = {
    onnx.TensorProto.FLOAT: "float32",
    onnx.TensorProto.FLOAT16: "float16",
    onnx.TensorProto.BFLOAT16: "bfloat16",
    onnx.TensorProto.INT32: "int32",
    onnx.TensorProto.INT64: "int64",
}
PROMPTS = ["Aspirin inhibits", "The patient was treated with", "COVID-19 is", "In mice, insulin"]


@pytest.fixture(scope="module", params=DTYPES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def bundles(mini_by: Callable[[str], Path]) -> dict[str, Path]:
    """The embedded checkpoint by both recipes. Tests must not change them."""
    return {name: mini_by(name) for name in DTYPES}


@pytest.fixture(scope="module")
def outlier_bundle(mini_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded checkpoint with six channels of every layer's inputs a hundred times larger, as a bundle."""
    folder = tmp_path_factory.mktemp("outliers")
    checkpoint = write_outlier_checkpoint(mini_checkpoint, folder / "checkpoint", factor=100, channels=6)
    export_bundle(open_checkpoint(checkpoint), folder / "bundle")
    return folder / "bundle"


def exported(folder: Path, tensors: Tensors | None = None) -> Path:
    architecture = tiny_architecture()
    export_bundle(open_checkpoint(write_huggingface(folder / "checkpoint", architecture, tensors)), folder / "fp32")
    return folder / "fp32"


def with_value(folder: Path, tensor: str, value: float) -> Path:
    """A small float32 bundle, one value of one weight of which is given."""
    tensors = random_tensors(tiny_architecture())
    tensors[tensor].flat[7] = value
    return exported(folder, tensors)


def test_everything_is_half_but_ids_lengths_and_logits(name: str, bundles: dict[str, Path]) -> None:
    manifest = read_manifest(bundles[name])
    cache = {f"{part}.{layer}.{kind}" for part in ("past_key_values", "present") for layer in range(4) for kind in
             ("key", "value")}  # fmt: skip
    assert {spec.name for spec in manifest.inputs + manifest.outputs if spec.dtype == DTYPES[name]} == {
        *cache,
        "attention_bias",
    }
    assert [spec.dtype for spec in manifest.outputs if spec.name == "logits"] == ["float32"]
    weights = onnx.load(bundles[name] / MODEL_FILE, load_external_data=False).graph.initializer
    assert {ONNX_TYPES[weight.data_type] for weight in weights} == {DTYPES[name], "int64"}


def test_the_manifest_states_the_graphs_own_types_and_shapes(name: str, bundles: dict[str, Path]) -> None:
    graph, manifest = onnx.load(bundles[name] / MODEL_FILE).graph, read_manifest(bundles[name])
    for values, specs in ((graph.input, manifest.inputs), (graph.output, manifest.outputs)):
        found = [
            (
                value.name,
                ONNX_TYPES[value.type.tensor_type.elem_type],
                tuple(dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim),
            )
            for value in values
            if value.name != LOGITS_LIMIT  # it has a default
        ]
        assert found == [(spec.name, spec.dtype, spec.shape) for spec in specs]


def test_it_takes_half_the_disk_and_is_whole(name: str, bundles: dict[str, Path], mini_bundle: Path) -> None:
    manifest = read_manifest(bundles[name])
    check_files(bundles[name], manifest, contents=True)
    onnx.checker.check_model(bundles[name] / MODEL_FILE)
    assert (manifest.precision, manifest.recipe) == (name, name)
    assert manifest.files[WEIGHTS_FILE].size < 0.51 * read_manifest(mini_bundle).files[WEIGHTS_FILE].size


@pytest.mark.parametrize("source", ["mini_bundle", "outlier_bundle"])
def test_rounding_after_every_operation_costs_no_quality_even_with_outliers(
    name: str, source: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    fp32: Path = request.getfixturevalue(source)
    quantize_bundle(fp32, tmp_path / name, RECIPES[name])
    rounding = emulated(tmp_path / name, tmp_path / "emulated")
    evaluation = evaluate(rounding, fp32, evaluation_texts(), prompts=0)
    # With outliers and bf16, +0.09 % on x86-64 and +0.12 % on ARM64; what lies between is chance on so short a text.
    assert evaluation.passed(0.001 if name == "fp16" else 0.002), evaluation.table()
    assert evaluation.top_1_agreement.value > (0.995 if name == "fp16" else 0.98)
    # That the rounding was done: float32 differs from itself by far less.
    assert evaluation.kl_divergence.value > 1e-8


def test_fp16_runs_on_the_cpu_and_writes_the_tokens_of_float32(
    bundles: dict[str, Path], mini: biogpt_onnx.BioGPT
) -> None:
    model = biogpt_onnx.load(bundles["fp16"], device="cpu")
    for num_beams in (1, 3):
        theirs, ours = (m.generate(PROMPTS, max_new_tokens=24, num_beams=num_beams) for m in (mini, model))
        assert [answer.token_ids for answer in ours] == [answer.token_ids for answer in theirs]
    prefix = model.prefix("Aspirin inhibits platelets.")
    assert len(model.generate("Aspirin inhibits platelets. The drug", prefix=prefix, max_new_tokens=5).token_ids) == 5


def test_it_is_evaluated_where_it_runs_beside_float32_on_the_cpu(
    bundles: dict[str, Path], mini_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_on_a_device(folder: Path, manifest: Manifest, options: LoadOptions) -> Any:
        if manifest.precision == "fp16":
            return CudaBackend(device_session(folder))
        return open_backend(folder, manifest, options)

    monkeypatch.setattr(model_pair, "open_backend", open_on_a_device)
    evaluation = evaluate(bundles["fp16"], mini_bundle, evaluation_texts()[:3], prompts=2)
    assert evaluation.passed(0.001), evaluation.table()
    # Processors that compute in half precision themselves, as some of ARM64, round sums, too.
    assert 0 < max(error.keys for error in evaluation.layer_errors) < 0.01


def test_its_cache_takes_half_the_memory(bundles: dict[str, Path], mini_bundle: Path) -> None:
    half, full = (DecoderSession(folder, read_manifest(folder)) for folder in (bundles["fp16"], mini_bundle))
    assert half.new_cache(2, 64).buffer.nbytes * 2 == full.new_cache(2, 64).buffer.nbytes


def test_the_quality_gate_of_fp16_passes_and_is_on_record(mini_bundle: Path, tmp_path: Path) -> None:
    quantize_bundle(mini_bundle, tmp_path / "fp16", RECIPES["fp16"])
    evaluation = run_quality_gate(tmp_path / "fp16", mini_bundle, RECIPES["fp16"].max_perplexity_increase)
    assert evaluation.passed(0.001), evaluation.table()
    assert read_manifest(tmp_path / "fp16").evaluation is not None


def test_bf16_without_a_gpu_is_one_clear_error(
    bundles: dict[str, Path], mini_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ProviderError, match=r"bf16 bundles on an NVIDIA GPU only, and device is cpu"):
        biogpt_onnx.load(bundles["bf16"], device="cpu")
    with pytest.raises(ProviderError, match="no CUDA provider"):
        run_quality_gate(bundles["bf16"], mini_bundle, 0.005)
    assert main(["generate", str(bundles["bf16"]), "Aspirin"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_command_makes_either(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / name
    assert main(["quantize", str(exported(tmp_path)), "-o", str(target), f"--recipe={name}", "--no-evaluation"]) == 0
    assert f"{name} bundle" in capsys.readouterr().out
    assert read_manifest(target).precision == name


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("fp16", 65520.0, r"layers\.1\.feed_forward\.fc2\.weight reaches 65520, beyond float16: take the recipe bf16"),
        ("fp16", -1e30, r"reaches 1e\+30, beyond float16"),
        ("bf16", 3.4e38, r"beyond bfloat16: keep float32"),
    ],
)
def test_a_weight_beyond_the_type_is_named_and_nothing_is_written(
    name: str, value: float, message: str, tmp_path: Path
) -> None:
    source = with_value(tmp_path, "layers.1.fc2.weight", value)
    with pytest.raises(BundleError, match=message):
        quantize_bundle(source, tmp_path / "out" / "half", RECIPES[name])
    assert not any((tmp_path / "out").rglob("*"))


@pytest.mark.parametrize(("name", "value"), [("fp16", 65519.0), ("fp16", 1e-30), ("bf16", 1e30)])
def test_a_weight_that_can_be_rounded_is(name: str, value: float, tmp_path: Path) -> None:
    source = with_value(tmp_path, "layers.1.fc2.weight", value)
    quantize_bundle(source, tmp_path / "half", RECIPES[name])
    model = onnx.load(tmp_path / "half" / MODEL_FILE)
    (weight,) = [tensor for tensor in model.graph.initializer if tensor.name == "layers.1.feed_forward.fc2.weight"]
    found = float(onnx.numpy_helper.to_array(weight).flat[7])
    assert found == pytest.approx(value, rel=2**-8, abs=1e-7)


def test_activations_that_overflow_are_seen_by_the_quality_gate(tmp_path: Path) -> None:
    tensors = random_tensors(tiny_architecture())
    tensors["embed_positions.weight"] *= np.float32(65000 / np.abs(tensors["embed_positions.weight"]).max())
    tensors["embed_tokens.weight"] += np.float32(1000)
    source = exported(tmp_path, tensors)
    quantize_bundle(source, tmp_path / "fp16", RECIPES["fp16"])
    with pytest.raises(BundleError, match="no numbers: take the recipe bf16"):
        run_quality_gate(tmp_path / "fp16", source, 0.005)


def test_a_cache_of_an_unknown_type_is_refused(bundles: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(bundles["fp16"], tmp_path / "bundle")
    manifest = tmp_path / "bundle" / "bundle.json"
    write_manifest(manifest.parent, json.loads(manifest.read_text().replace('"float16"', '"float8e5m2"')))
    with pytest.raises(BundleError, match="the cache has the type float8e5m2, this biogpt-onnx knows float32"):
        biogpt_onnx.load(tmp_path / "bundle")
