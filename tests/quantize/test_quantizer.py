import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from biogpt_onnx.cli import main
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import MANIFEST_FILE, MODEL_FILE, WEIGHTS_FILE, read_manifest
from biogpt_onnx.runtime.errors import BundleError
from makers.bundles import record_file
from makers.checkpoints import random_tensors, tiny_architecture, write_huggingface

INT8 = RECIPES["int8"]


@pytest.fixture(scope="module")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tests must not change it."""
    folder = tmp_path_factory.mktemp("quantizer")
    export_bundle(open_checkpoint(write_huggingface(folder / "checkpoint", tiny_architecture())), folder / "bundle")
    return folder / "bundle"


def damaged(bundle: Path, folder: Path, weight: str, value: float) -> Path:
    """A copy of a bundle, one value of one weight of which was another one when it was written."""
    shutil.copytree(bundle, folder)
    graph = onnx.load(folder / MODEL_FILE, load_external_data=False).graph
    (tensor,) = [tensor for tensor in graph.initializer if tensor.name == weight]
    offset = int({entry.key: entry.value for entry in tensor.external_data}["offset"])
    with (folder / WEIGHTS_FILE).open("r+b") as file:
        file.seek(offset + 40)
        file.write(np.float32(value).tobytes())
    record_file(folder, WEIGHTS_FILE)
    return folder


@pytest.mark.parametrize("name", RECIPES)
def test_quantizing_twice_gives_the_same_bytes(name: str, tiny_bundle: Path, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        quantize_bundle(tiny_bundle, tmp_path / folder, RECIPES[name])
    assert (tmp_path / "one" / MANIFEST_FILE).read_bytes() == (tmp_path / "two" / MANIFEST_FILE).read_bytes()
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == sorted(
        [*read_manifest(tmp_path / "one").files, MANIFEST_FILE]
    )


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="reads the mappings of a process on Linux")
@pytest.mark.parametrize("name", ["int8", "int4", "fp16"])
def test_weights_that_were_read_do_not_stay_mapped(name: str, tiny_bundle: Path, tmp_path: Path) -> None:
    weights, mappings = str((tiny_bundle / WEIGHTS_FILE).resolve()), []

    def count(_done: int, _total: int) -> None:
        mappings.append(Path("/proc/self/maps").read_text(encoding="utf-8").count(weights))

    quantize_bundle(tiny_bundle, tmp_path / "bundle", RECIPES[name], progress=count)
    # The weight that is read and the one before it, of many.
    assert len(mappings) > 10
    assert max(mappings) <= 2


@pytest.mark.parametrize("name", ["int8", "int8-dynamic"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("weight", ["layers.1.feed_forward.fc2.weight", "embed_tokens.weight", "final_norm.bias"])
def test_a_weight_that_is_no_number_is_named_and_nothing_is_written(
    name: str, value: float, weight: str, tiny_bundle: Path, tmp_path: Path
) -> None:
    source = damaged(tiny_bundle, tmp_path / "source", weight, value)
    with pytest.raises(BundleError, match=f"{weight} holds NaN or infinity"):
        quantize_bundle(source, tmp_path / "out" / "bundle", RECIPES[name])
    assert not any((tmp_path / "out").rglob("*"))


def test_a_quantized_bundle_is_not_quantized_again(tiny_bundle: Path, tmp_path: Path) -> None:
    quantize_bundle(tiny_bundle, tmp_path / "once", INT8)
    with pytest.raises(BundleError, match=r"quantized already \(int8 by the recipe int8\): quantize the fp32 bundle"):
        quantize_bundle(tmp_path / "once", tmp_path / "twice", RECIPES["int4"])
    assert not (tmp_path / "twice").exists()


def test_a_bundle_is_never_replaced_by_what_is_made_of_it(tiny_bundle: Path) -> None:
    with pytest.raises(BundleError, match="choose another place"):
        quantize_bundle(tiny_bundle, tiny_bundle.parent / "." / "bundle", INT8, overwrite=True)


def test_an_existing_bundle_is_not_overwritten_by_accident(tiny_bundle: Path, tmp_path: Path) -> None:
    quantize_bundle(tiny_bundle, tmp_path / "bundle", INT8)
    with pytest.raises(BundleError, match="--overwrite"):
        quantize_bundle(tiny_bundle, tmp_path / "bundle", INT8)
    made = quantize_bundle(tiny_bundle, tmp_path / "bundle", RECIPES["int4"], overwrite=True)
    assert (made.precision, made.recipe) == ("int4", "int4")


def test_progress_is_reported_up_to_the_end(tiny_bundle: Path, tmp_path: Path) -> None:
    for name, recipe in RECIPES.items():
        steps: list[tuple[int, int]] = []
        quantize_bundle(tiny_bundle, tmp_path / name, recipe, progress=lambda *step, to=steps: to.append(step))
        assert steps[-1][0] == steps[-1][1] == len(steps)


def test_the_text_to_calibrate_with_matters(tiny_bundle: Path, tmp_path: Path) -> None:
    one = quantize_bundle(tiny_bundle, tmp_path / "one", INT8, texts=["Insulin"])
    two = quantize_bundle(tiny_bundle, tmp_path / "two", INT8, texts=["Seven mice, 12 rats and a long tail of words"])
    assert one.files[WEIGHTS_FILE] != two.files[WEIGHTS_FILE]


def test_a_bundle_whose_graph_lacks_a_weight_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_bundle, tmp_path / "source")
    graph = onnx.load(tmp_path / "source" / MODEL_FILE, load_external_data=False)
    for tensor in graph.graph.initializer:
        tensor.name = tensor.name.replace("final_norm", "last_norm")
    (tmp_path / "source" / MODEL_FILE).write_bytes(graph.SerializeToString())
    record_file(tmp_path / "source", MODEL_FILE)
    with pytest.raises(BundleError, match=r"no weight final_norm\.weight"):
        quantize_bundle(tmp_path / "source", tmp_path / "target", INT8)


def test_a_weight_that_lies_beyond_the_file_is_named_and_nothing_is_written(tiny_bundle: Path, tmp_path: Path) -> None:
    """As in a bundle whose graph is that of another one; all its hashes fit."""
    shutil.copytree(tiny_bundle, tmp_path / "source")
    graph = onnx.load(tmp_path / "source" / MODEL_FILE, load_external_data=False)
    (tensor,) = (each for each in graph.graph.initializer if each.name == "layers.1.feed_forward.fc2.weight")
    (offset,) = (entry for entry in tensor.external_data if entry.key == "offset")
    offset.value = str((tiny_bundle / WEIGHTS_FILE).stat().st_size - 4)
    (tmp_path / "source" / MODEL_FILE).write_bytes(graph.SerializeToString())
    record_file(tmp_path / "source", MODEL_FILE)
    with pytest.raises(BundleError, match=r"the weight layers\.1\.feed_forward\.fc2\.weight cannot be read"):
        quantize_bundle(tmp_path / "source", tmp_path / "target", RECIPES["int8-dynamic"])
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("content", [b"no graph", b"\x08\xff"])
def test_a_graph_that_is_none_is_one_clear_error(content: bytes, tiny_bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_bundle, tmp_path / "source")
    (tmp_path / "source" / MODEL_FILE).write_bytes(content)
    record_file(tmp_path / "source", MODEL_FILE)
    with pytest.raises(BundleError, match=rf"{MODEL_FILE} cannot be read .*: export the bundle again"):
        quantize_bundle(tmp_path / "source", tmp_path / "target", INT8)


@pytest.mark.parametrize("name", RECIPES)
def test_a_layer_that_is_pruned_away_adds_nothing_in_any_recipe(name: str, tmp_path: Path) -> None:
    """Its product has only zeros to read, from which no scale can be taken."""
    architecture = tiny_architecture()
    tensors = random_tensors(architecture)
    for part in ("weight", "bias"):
        tensors[f"layers.1.fc1.{part}"][...] = 0
    tensors["layers.1.fc2.bias"][...] = 0
    export_bundle(
        open_checkpoint(write_huggingface(tmp_path / "checkpoint", architecture, tensors)), tmp_path / "bundle"
    )
    manifest = quantize_bundle(tmp_path / "bundle", tmp_path / "target", RECIPES[name])
    if manifest.precision == "bf16":
        return
    ids = np.array([[2, 30, 40, 50]])
    ours, theirs = (logits_of(folder, ids) for folder in (tmp_path / "target", tmp_path / "bundle"))
    assert np.isfinite(ours).all()
    assert np.abs(ours - theirs).mean() < 0.3 * theirs.std()


def logits_of(folder: Path, ids: np.ndarray) -> np.ndarray:
    session = DecoderSession(folder, read_manifest(folder))
    return session.forward(ids, session.new_cache(1, ids.size), logits_indices=np.arange(ids.size))


def test_the_command_writes_a_bundle_and_says_so(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calibration = tmp_path / "texts.txt"
    calibration.write_text("Insulin lowers glucose.\n\nAspirin\n")
    target = tmp_path / "int4"
    arguments = ["--recipe=int4", "--calibration", str(calibration), "--no-evaluation"]
    assert main(["quantize", str(tiny_bundle), "-o", str(target), *arguments]) == 0
    assert "int4 bundle of huggingface:checkpoint" in capsys.readouterr().out
    assert read_manifest(target).recipe == "int4"
